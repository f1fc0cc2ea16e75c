/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/base/io.h"
#include "manifests/files.h"
#include "tests/unit/manifests/loaded.h"

static char dir[] = "/tmp/drey-files-XXXXXX";
static struct arena *arena;
static struct diagnostics diagnostics;
static struct manifest_files files;

static void put(const char *path, const char *text)
{
	CLEANUP(cleanup_free) char *whole = xasprintf("%s/%s", dir, path);
	CLEANUP(cleanup_free) char *parent = xstrndup(whole, (size_t)(strrchr(whole, '/') - whole));
	struct error err = ERROR_INIT;

	cr_assert_eq(io_make_dirs(parent, 0755, &err), 0);
	cr_assert_eq(io_write_file(whole, 0644, text, strlen(text), &err), 0, "%s", err.text);
}

static void setup(void)
{
	cr_assert(mkdtemp(dir));
	arena = arena_new();
	diagnostics_init(&diagnostics, arena);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void teardown(void)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	files_done(&files);
	diagnostics_done(&diagnostics);
	arena_free(arena);
}

TestSuite(files, .init = setup, .fini = teardown);

/* All paths with a space behind each. */
static const char *found(void)
{
	struct error err = ERROR_INIT;
	const char *list = "";

	files_done(&files);
	cr_assert_eq(files_find(dir, arena, &diagnostics, &files, &err), 0, "%s", err.text);
	for (size_t i = 0; i < files.paths.count; i++)
		list = arena_printf(arena, "%s%s ", list, files.paths.items[i]);
	return list;
}

static void link_to(const char *target, const char *path)
{
	CLEANUP(cleanup_free) char *whole = xasprintf("%s/%s", dir, path);

	cr_assert_eq(symlink(target, whole), 0);
}

Test(files, sorted_without_dot_files)
{
	put("b.yaml", "");
	put("a.yml", "");
	put("c.txt", "");
	put(".hidden.yaml", "");
	put(".git/x.yaml", "");
	put("sub/deep/z.yaml", "");
	put("sub/a.yaml", "");
	cr_expect_str_eq(found(), "a.yml b.yaml sub/a.yaml sub/deep/z.yaml ");
	cr_expect_eq(diagnostics.errors + diagnostics.warnings, 0);
}

Test(files, dreyignore)
{
	put("keep.yaml", "");
	put("draft-1.yaml", "");
	put("draft-2.yaml", "");
	put("sub/draft-3.yaml", "");
	put("sub/keep.yaml", "");
	put("vendor/a.yaml", "");
	put("sub/vendor/a.yaml", "");
	put("top.yaml", "");
	put("sub/top.yaml", "");
	put("x/y/only.yaml", "");
	put("z/x/y/only.yaml", "");
	put("all/b.yaml", "");
	put(".dreyignore",
	    "# drafts\n\ndraft-*.yaml\n!draft-2.yaml\nvendor/\n/top.yaml\nx/y/*.yaml\n"
	    "all/**\n**/nothing.yaml\n");
	cr_expect_str_eq(found(), "draft-2.yaml keep.yaml sub/keep.yaml sub/top.yaml "
				  "z/x/y/only.yaml ");
}

Test(files, symlinks)
{
	put("real/a.yaml", "");
	put(".data/b.yaml", "");
	link_to(".data/b.yaml", "b.yaml");
	link_to("real/a.yaml", "again.yaml");
	link_to("real", "dir");
	link_to("..", "real/up");
	link_to(".", "loop");
	link_to("nowhere", "not-a-manifest");
	cr_expect_str_eq(found(), "b.yaml real/a.yaml ", "each file once, by its own name");
	cr_expect_eq(diagnostics.errors, 0, "none of them leads out");
}

Test(files, symlinks_out_of_the_directory)
{
	put("a.yaml", "");
	link_to("/etc/hostname", "out.yaml");
	link_to("/etc", "etc");
	link_to("/etc/hostname", "ignored");
	link_to("gone", "gone.yaml");
	cr_expect_str_eq(found(), "a.yaml ");
	cr_expect_eq(diagnostics.errors, 3);
	put(".dreyignore", "etc\nout.yaml\ngone.yaml\n");
	diagnostics_clear(&diagnostics);
	found();
	cr_expect_eq(diagnostics.errors, 0);
}

Test(files, what_is_no_regular_file)
{
	CLEANUP(cleanup_free) char *fifo = xasprintf("%s/fifo.yaml", dir);

	cr_assert_eq(mkfifo(fifo, 0600), 0);
	put("dir.yaml/a.yaml", "");
	cr_expect_str_eq(found(), "dir.yaml/a.yaml ");
	cr_expect_eq(diagnostics.warnings, 1);
	cr_expect_eq(diagnostics.errors, 0);
}

Test(files, a_file_of_100_mb_is_not_read)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/big.yaml", dir);
	struct rusage before, after;
	struct loaded loaded;

	put("a.yaml", "apiVersion: drey/v1\nkind: Volume\nmetadata: { name: v }\n");
	put("big.yaml", "");
	cr_assert_eq(truncate(path, 100 * 1000 * 1000), 0);
	getrusage(RUSAGE_SELF, &before);
	loaded_init(&loaded, dir, NULL);
	getrusage(RUSAGE_SELF, &after);
	cr_expect_null(loaded.set);
	cr_expect_eq(loaded.err.code, ERROR_INVALID);
	cr_expect_eq(loaded.diagnostics.errors, 1);
	cr_expect(strstr(loaded_fault(&loaded), "100000000 bytes are too large"));
	cr_expect_str_eq(loaded.diagnostics.list.items[0].place.file, "big.yaml");
	cr_expect_lt(after.ru_maxrss - before.ru_maxrss, 50 * 1000, "it was read into memory");
	loaded_done(&loaded);
}

Test(files, the_directory_itself)
{
	struct error err = ERROR_INIT;
	struct loaded loaded;

	cr_expect_eq(files_find("/nonexistent/x", arena, &diagnostics, &files, &err), -1);
	cr_expect_eq(err.code, ERROR_NOT_FOUND);
	loaded_init(&loaded, dir, NULL);
	cr_expect_null(loaded.set);
	cr_expect_eq(loaded.err.code, ERROR_NOT_FOUND);
	cr_expect(strstr(loaded.err.text, "holds no manifests"));
	loaded_done(&loaded);
	put("a.yaml", "");
	CLEANUP(cleanup_free) char *file = xasprintf("%s/a.yaml", dir);
	cr_expect_eq(files_find(file, arena, &diagnostics, &files, &err), -1);
	cr_expect_eq(err.code, ERROR_INVALID);
}

static int resolve(const char *from, const char *path, bool inside, const char **ret)
{
	struct error err = ERROR_INIT;

	return files_resolve(dir, from, path, inside, "/home/user", arena, ret, &err);
}

Test(files, paths_in_manifests)
{
	const char *path;

	put("sub/a.env", "");
	put("b.env", "");
	link_to("/etc/hostname", "out.env");
	link_to("/etc", "etc");
	cr_assert_eq(resolve("sub/m.yaml", "a.env", true, &path), 0);
	cr_expect(str_has_suffix(path, "/sub/a.env"));
	cr_assert_eq(resolve("sub/m.yaml", "../b.env", true, &path), 0);
	cr_expect_eq(resolve("sub/m.yaml", "../../b.env", true, &path), -1);
	cr_expect_eq(resolve("m.yaml", "out.env", false, &path), -1);
	cr_expect_eq(resolve("m.yaml", "etc/new", false, &path), -1);
	cr_expect_eq(resolve("m.yaml", "/etc/hostname", true, &path), -1);
	cr_expect_eq(resolve("m.yaml", "", false, &path), -1);
	cr_assert_eq(resolve("m.yaml", "not-yet", false, &path), 0);
	cr_expect(str_has_suffix(path, "/not-yet"));
	cr_assert_eq(resolve("sub/m.yaml", "not/yet/there", true, &path), 0);
	cr_expect(str_has_suffix(path, "/sub/not/yet/there"));
	cr_expect_eq(resolve("m.yaml", "not/../../there", false, &path), -1);
	cr_expect_eq(resolve("m.yaml", "etc/not/yet", false, &path), -1);
	link_to("/nonexistent/x", "dangling");
	cr_expect_eq(resolve("m.yaml", "dangling", false, &path), -1);
	cr_assert_eq(resolve("m.yaml", "/etc/hostname", false, &path), 0);
	cr_expect_str_eq(path, "/etc/hostname");
	cr_assert_eq(resolve("m.yaml", "~/.ssh/id", false, &path), 0);
	cr_expect_str_eq(path, "/home/user/.ssh/id");
}

Test(files, secrets_and_env_files)
{
	CLEANUP(cleanup_free) char *secret = xasprintf("%s/secret", dir);
	struct loaded loaded;

	put("secret", "geheim\n");
	put("sub/one.env", "A=file\nB=file\n");
	put("sub/two.env", "B=two\nC=two\n");
	put("sub/m.yaml", "apiVersion: drey/v1\nkind: Container\nmetadata: { name: web }\n"
			  "spec: { image: x, env_file: [one.env, two.env], "
			  "environment: { C: own, P: \"${secret.s}\" } }\n"
			  "---\napiVersion: drey/v1\nkind: Secret\nmetadata: { name: s }\n"
			  "spec: { file: ../secret }\n");
	loaded_init(&loaded, dir, NULL);
	cr_assert(loaded.set, "%s", loaded_fault(&loaded));
	cr_expect_eq(loaded.diagnostics.warnings, 1, "others may read the secret");
	const struct resource *web = loaded_find(&loaded, "local", "Container", "web");
	json_t *expected = json_pack("{s:s, s:s, s:s, s:s}", "A", "file", "B", "two", "C", "own",
				     "P", "geheim");
	cr_expect(json_equal(resource_get(web, "environment"), expected));
	cr_expect_null(resource_get(web, "env_file"));
	cr_expect(resource_is_secret(web, "environment", "P"));
	json_decref(expected);
	loaded_done(&loaded);

	cr_assert_eq(chmod(secret, 0600), 0);
	loaded_init(&loaded, dir, NULL);
	cr_expect_eq(loaded.diagnostics.warnings, 0);
	loaded_done(&loaded);
}

/* What the reference pages show for each kind is one fleet when put together. */
Test(files, examples_of_all_kinds)
{
	size_t count;
	const struct kind *const *kinds = kinds_all(&count);
	struct loaded loaded;

	for (size_t i = 0; i < count; i++) {
		cr_expect(kinds[i]->example, "%s", kinds[i]->name);
		put(arena_printf(arena, "%s.yaml", kinds[i]->name), kinds[i]->example);
	}
	put("rest.yaml", "apiVersion: drey/v1\nkind: Secret\nmetadata: { name: registry }\n"
			 "spec: { env: RELEASE_TAG }\n");
	loaded_init(&loaded, dir, NULL);
	cr_expect(loaded.set, "%s: %s", loaded.err.text, loaded_fault(&loaded));
	loaded_done(&loaded);
}

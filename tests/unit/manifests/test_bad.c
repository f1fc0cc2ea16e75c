/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every directory of tests/golden/bad is a set with faults; beside it stands what drey says
 * about them. GOLDEN_UPDATE=1 writes what it says now: read the difference before it is
 * committed.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "manifests/set.h"
#include "reconcilers/reconciler.h"

#define ROOT "tests/golden/bad"

static const char *environment(void *ctx, const char *name)
{
	static const struct {
		const char *name, *value;
	} all[] = {
		{ "HOME", "/home/user" },
		{ "TAG", "1.2" },
		{ "BINARY", "\xff\xfe" },
		{ "LONG", "hunter2" },
	};

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (strcmp(all[i].name, name) == 0)
			return all[i].value;
	return NULL;
}

/* Messages name files by where the sources happen to be. */
static void replace_root(struct str *text)
{
	char root[PATH_MAX];
	struct str out;

	cr_assert(getcwd(root, sizeof(root)));
	str_init(&out, 0);
	for (const char *p = text->data, *at; *p; p = at) {
		at = strstr(p, root);
		str_append_n(&out, p, at ? (size_t)(at - p) : strlen(p));
		if (!at)
			break;
		str_append(&out, "SOURCES");
		at += strlen(root);
	}
	str_clear(text);
	str_append(text, out.data);
	str_done(&out);
}

static void load(const char *dir, struct str *said)
{
	struct arena *arena = arena_new();
	struct manifest_options options = {
		.dir = dir,
		.getenv = environment,
		.version = "0.1.0",
	};
	struct manifest_set *set = NULL;
	struct diagnostics diagnostics;
	struct error err = ERROR_INIT;

	options.kinds = kinds_all(&options.kind_count);
	diagnostics_init(&diagnostics, arena);
	cr_expect_eq(set_load(&options, &diagnostics, &set, &err), -1, "%s: loads", dir);
	cr_expect_eq(err.code, ERROR_INVALID, "%s: %s", dir, err.text);
	cr_expect_null(set);
	set_unref(set);
	diagnostics_print(&diagnostics, said);
	replace_root(said);
	diagnostics_done(&diagnostics);
	arena_free(arena);
}

static void compare(const char *name)
{
	CLEANUP(cleanup_free) char *dir = xasprintf(ROOT "/%s", name);
	CLEANUP(cleanup_free) char *path = xasprintf(ROOT "/%s.expect", name);
	CLEANUP(cleanup_free) char *expected = NULL;
	struct error err = ERROR_INIT;
	struct str said;
	size_t len;

	str_init(&said, 0);
	load(dir, &said);
	if (getenv("GOLDEN_UPDATE"))
		cr_expect_eq(io_write_file(path, 0644, said.data, said.len, &err), 0, "%s",
			     err.text);
	else if (io_read_file(path, 1 << 20, &expected, &len, &err) < 0)
		cr_expect_fail("%s (run with GOLDEN_UPDATE=1 to write it)", err.text);
	else
		cr_expect_str_eq(said.data, expected, "%s: expected\n%sfound\n%s", name, expected,
				 said.data);
	str_done(&said);
}

Test(bad_manifests, say_what_is_expected)
{
	struct dirent **entries;
	int count = scandir(ROOT, &entries, NULL, alphasort), sets = 0;

	cr_assert_gt(count, 0, "%s: not found; run from the top of the sources", ROOT);
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		if (name[0] != '.' && !str_has_suffix(name, ".expect")) {
			compare(name);
			sets++;
		}
		free(entries[i]);
	}
	free(entries);
	cr_expect_gt(sets, 20);
}

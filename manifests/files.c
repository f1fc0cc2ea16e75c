/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "manifests/files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/base/io.h"
#include "controller/base/str.h"
#include "manifests/ignore.h"
#include "manifests/set.h"

enum {
	DIRECTORY_DEPTH_MAX = 64,
	IGNORE_FILE_MAX = 64 * 1024,
};

struct seen {
	dev_t device;
	ino_t inode;
};

struct walk {
	struct manifest_files *files;
	struct arena *arena;
	struct diagnostics *diagnostics;
	struct ignore *ignore;
	VEC(const char *) links; /* symlinks, followed when all else has been seen */
	VEC(struct seen) seen;	 /* directories and files */
	bool following;		 /* reached by a symlink: may have been seen under its own name */
};

static bool is_manifest(const char *name)
{
	return str_has_suffix(name, ".yaml") || str_has_suffix(name, ".yml");
}

static bool inside(const char *dir, const char *path)
{
	size_t n = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return true;
	return strncmp(dir, path, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static bool is_seen(const struct walk *walk, const struct stat *st)
{
	for (size_t i = 0; i < walk->seen.count; i++)
		if (walk->seen.items[i].device == st->st_dev &&
		    walk->seen.items[i].inode == st->st_ino)
			return true;
	return false;
}

/* False when it was seen before. That is asked only where it can be: of directories, and once
 * symlinks are followed. */
static bool see(struct walk *walk, const struct stat *st)
{
	if ((S_ISDIR(st->st_mode) || walk->following) && is_seen(walk, st))
		return false;
	struct seen seen = { .device = st->st_dev, .inode = st->st_ino };
	vec_push(&walk->seen, seen);
	return true;
}

static const char *absolute(const struct walk *walk, const char *path)
{
	return *path ? arena_printf(walk->arena, "%s/%s", walk->files->dir, path)
		     : walk->files->dir;
}

static void walk_directory(struct walk *walk, const char *path, unsigned depth);

static void visit(struct walk *walk, const char *path, const struct stat *st, unsigned depth)
{
	if (ignore_matches(walk->ignore, path, S_ISDIR(st->st_mode)))
		return;
	if (S_ISDIR(st->st_mode)) {
		if (see(walk, st))
			walk_directory(walk, path, depth + 1);
	} else if (S_ISLNK(st->st_mode)) {
		vec_push(&walk->links, path);
	} else if (!is_manifest(path)) {
		return;
	} else if (!S_ISREG(st->st_mode)) {
		diagnose_file(walk->diagnostics, SEVERITY_WARNING, path,
			      "not a regular file: not read");
	} else if (see(walk, st)) {
		vec_push(&walk->files->paths, path);
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void walk_directory(struct walk *walk, const char *path, unsigned depth)
{
	DIR *dir = depth <= DIRECTORY_DEPTH_MAX ? opendir(absolute(walk, path)) : NULL;
	VEC(const char *) names = { 0 };

	if (!dir) {
		diagnose_file(walk->diagnostics, SEVERITY_ERROR, path, "%s",
			      depth <= DIRECTORY_DEPTH_MAX ? strerror(errno)
							   : "directories nested too deeply");
		return;
	}
	for (const struct dirent *entry; (entry = readdir(dir));) {
		/* Most of what a checkout holds is no manifest, and need not be looked at. */
		bool other = entry->d_type == DT_REG && !is_manifest(entry->d_name);
		if (entry->d_name[0] != '.' && !other)
			vec_push(&names, arena_strdup(walk->arena, entry->d_name));
	}
	closedir(dir);
	if (names.count)
		qsort(names.items, names.count, sizeof(*names.items), by_name);
	for (size_t i = 0; i < names.count && walk->files->paths.count <= MANIFEST_FILES_MAX; i++) {
		const char *child = *path ? arena_printf(walk->arena, "%s/%s", path, names.items[i])
					  : names.items[i];
		struct stat st;
		if (lstat(absolute(walk, child), &st) == 0)
			visit(walk, child, &st, depth);
		else if (errno != ENOENT) /* removed meanwhile */
			diagnose_file(walk->diagnostics, SEVERITY_ERROR, child, "%s",
				      strerror(errno));
	}
	vec_done(&names);
}

/* A symlink counts as what it leads to, as long as that lies in the directory. */
static void follow(struct walk *walk, const char *path)
{
	CLEANUP(cleanup_free) char *target = realpath(absolute(walk, path), NULL);
	struct stat st;

	if (!target || stat(target, &st) < 0) {
		if (is_manifest(path))
			diagnose_file(walk->diagnostics, SEVERITY_ERROR, path,
				      "the symlink leads nowhere: %s", strerror(errno));
		return;
	}
	if (!S_ISDIR(st.st_mode) && !is_manifest(path))
		return;
	if (!inside(walk->files->dir, target)) {
		diagnose_file(walk->diagnostics, SEVERITY_ERROR, path,
			      "the symlink leads out of the manifest directory, to %s; copy what "
			      "it names, or list it in .dreyignore",
			      target);
		return;
	}
	visit(walk, path, &st, 1);
}

static int read_ignore(struct walk *walk, struct error *err)
{
	CLEANUP(cleanup_free) char *text = NULL;
	size_t len;

	if (io_read_file(absolute(walk, ".dreyignore"), IGNORE_FILE_MAX, &text, &len, err) < 0) {
		if (err->code != ERROR_NOT_FOUND)
			return -1;
		error_clear(err);
	}
	walk->ignore = ignore_parse(walk->arena, text);
	return 0;
}

int files_read(struct manifest_files *files, const char *path, char **ret_text, size_t *ret_len)
{
	CLEANUP(cleanup_free) char *whole = xasprintf("%s/%s", files->dir, path);
	struct error err = ERROR_INIT;
	struct stat st;

	if (stat(whole, &st) == 0 && st.st_size > MANIFEST_FILE_MAX) {
		diagnose_file(files->diagnostics, SEVERITY_ERROR, path,
			      "%lld bytes are too large for a manifest; at most %d are allowed",
			      (long long)st.st_size, MANIFEST_FILE_MAX);
		return -1;
	}
	if (io_read_file(whole, MANIFEST_FILE_MAX, ret_text, ret_len, &err) < 0) {
		/* The text begins with the absolute path; the place says it already. */
		const char *reason = err.text + strlen(whole);
		diagnose_file(files->diagnostics, SEVERITY_ERROR, path, "%s",
			      reason + strspn(reason, ": "));
		return -1;
	}
	files->total += *ret_len;
	if (files->total <= MANIFEST_TOTAL_MAX)
		return 0;
	diagnose_file(files->diagnostics, SEVERITY_ERROR, path,
		      "with this file the manifests are larger than the %d bytes allowed",
		      MANIFEST_TOTAL_MAX);
	free(*ret_text);
	return -1;
}

static void sort_paths(struct manifest_files *files)
{
	/* Directories may have been reached by links late. */
	if (files->paths.count)
		qsort(files->paths.items, files->paths.count, sizeof(*files->paths.items), by_name);
	if (files->paths.count <= MANIFEST_FILES_MAX)
		return;
	diagnose_file(files->diagnostics, SEVERITY_ERROR, files->paths.items[MANIFEST_FILES_MAX],
		      "more than %d manifest files; leave some out with .dreyignore",
		      MANIFEST_FILES_MAX);
	files->paths.count = 0;
}

int files_find(const char *dir, struct arena *arena, struct diagnostics *diagnostics,
	       struct manifest_files *files, struct error *err)
{
	CLEANUP(cleanup_free) char *real = realpath(dir, NULL);
	struct walk walk = { .files = files, .arena = arena, .diagnostics = diagnostics };
	struct stat st;

	*files = (struct manifest_files){ .arena = arena, .diagnostics = diagnostics };
	if (!real || stat(real, &st) < 0)
		return error_errno(err, errno, "manifest directory %s", dir);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ERROR_INVALID,
				 "manifest directory %s: not a directory; give the directory that "
				 "holds the file",
				 dir);
	if (access(real, R_OK | X_OK) < 0)
		return error_errno(err, errno, "manifest directory %s", dir);
	files->dir = arena_strdup(arena, real);
	if (read_ignore(&walk, err) < 0)
		return -1;
	see(&walk, &st);
	walk_directory(&walk, "", 1);
	walk.following = true;
	for (size_t i = 0; i < walk.links.count; i++)
		follow(&walk, walk.links.items[i]);
	sort_paths(files);
	vec_done(&walk.links);
	vec_done(&walk.seen);
	return 0;
}

void files_done(struct manifest_files *files)
{
	vec_done(&files->paths);
}

/* The path without symlinks. What is not there yet is taken as it is written, below what is. */
static char *resolve(const char *path)
{
	CLEANUP(cleanup_free) char *head = xstrdup(path);
	char *real;

	while (!(real = realpath(head, NULL))) {
		char *slash = strrchr(head, '/');
		int saved = errno;
		struct stat st;
		/* A dot-dot of nothing or a dangling symlink could lead anywhere later. */
		bool treacherous = slash && (strcmp(slash, "/..") == 0 || lstat(head, &st) == 0);
		errno = saved;
		if (errno != ENOENT || !slash || slash == head || treacherous)
			return NULL;
		*slash = '\0';
	}
	char *whole = xasprintf("%s%s", strcmp(real, "/") == 0 ? "" : real, path + strlen(head));
	free(real);
	return whole;
}

int files_resolve(const char *dir, const char *from, const char *path, bool must_be_inside,
		  const char *home, struct arena *arena, const char **ret_path, struct error *err)
{
	CLEANUP(cleanup_free) char *whole = NULL;
	bool relative = path[0] != '/';

	if (!*path)
		return error_set(err, ERROR_INVALID, "the path is empty");
	if (str_has_prefix(path, "~/")) {
		if (!home || home[0] != '/')
			return error_set(err, ERROR_INVALID,
					 "'%s': HOME is not set; give an absolute path", path);
		relative = false;
		whole = xasprintf("%s%s", home, path + 1);
	} else if (!relative) {
		whole = xstrdup(path);
	} else {
		const char *slash = strrchr(from, '/');
		if (!dir)
			return error_set(err, ERROR_INVALID,
					 "'%s': there is no directory for relative paths", path);
		whole = xasprintf("%s/%.*s%s", dir, slash ? (int)(slash - from + 1) : 0, from,
				  path);
	}
	if (!relative && !must_be_inside) {
		*ret_path = arena_strdup(arena, whole);
		return 0;
	}
	CLEANUP(cleanup_free) char *real_dir = dir ? realpath(dir, NULL) : NULL;
	CLEANUP(cleanup_free) char *real = resolve(whole);
	if (!real)
		return error_errno(err, errno, "'%s'", path);
	if (!real_dir || !inside(real_dir, real))
		return error_set(err, ERROR_INVALID,
				 "'%s' leads out of the manifest directory, to %s; relative paths "
				 "stay inside of it",
				 path, real);
	*ret_path = arena_strdup(arena, real);
	return 0;
}

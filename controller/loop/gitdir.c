/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/loop/gitdir.h"

#include <string.h>
#include <sys/stat.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"

enum { GITFILE_CEILING = 8192 };

/* "gitdir: PATH", relative to the file's directory. */
static char *read_gitfile(const char *dir, const char *path)
{
	CLEANUP(cleanup_free) char *text = NULL;
	struct error err = ERROR_INIT;
	struct stat st;
	size_t len;
	char *target;

	if (io_read_file(path, GITFILE_CEILING, &text, &len, &err) < 0)
		return NULL;
	if (!str_has_prefix(text, "gitdir: "))
		return NULL;
	text[strcspn(text, "\r\n")] = '\0';
	target = text + strlen("gitdir: ");
	target = target[0] == '/' ? xstrdup(target) : xasprintf("%s/%s", dir, target);
	if (stat(target, &st) == 0 && S_ISDIR(st.st_mode))
		return target;
	free(target);
	return NULL;
}

char *gitdir_at(const char *dir)
{
	char *path = xasprintf("%s/.git", dir);
	char *found = NULL;
	struct stat st;

	if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return path;
		if (S_ISREG(st.st_mode))
			found = read_gitfile(dir, path);
	}
	free(path);
	return found;
}

char *gitdir_around(const char *dir)
{
	CLEANUP(cleanup_free) char *at = xstrdup(dir);

	for (;;) {
		char *found = gitdir_at(at);
		char *slash = strrchr(at, '/');

		if (found || !slash)
			return found;
		*slash = '\0';
	}
}

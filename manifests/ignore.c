/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "manifests/ignore.h"

#include <fnmatch.h>
#include <string.h>

#include "controller/base/str.h"

struct pattern {
	struct pattern *next; /* the one before it in the file: the last that matches decides */
	const char *glob;
	bool negated, directory, anchored;
};

struct ignore {
	struct pattern *last;
};

static void add_line(struct arena *arena, struct ignore *ignore, const char *line, size_t len)
{
	struct pattern pattern = { .next = ignore->last };

	while (len && (line[len - 1] == ' ' || line[len - 1] == '\t' || line[len - 1] == '\r'))
		len--;
	if (len && line[0] == '#')
		return;
	if (len && line[0] == '!') {
		pattern.negated = true;
		line++, len--;
	}
	if (len && line[len - 1] == '/') {
		pattern.directory = true;
		len--;
	}
	while (len >= 3 && strncmp(line + len - 3, "/**", 3) == 0) {
		pattern.directory = true;
		len -= 3;
	}
	if (len && line[0] == '/') {
		pattern.anchored = true;
		line++, len--;
	} else if (len >= 3 && strncmp(line, "**/", 3) == 0) {
		line += 3, len -= 3;
	} else {
		pattern.anchored = memchr(line, '/', len) != NULL;
	}
	if (!len)
		return;
	pattern.glob = arena_strndup(arena, line, len);
	struct pattern *copy = arena_new_of(arena, struct pattern);
	*copy = pattern;
	ignore->last = copy;
}

struct ignore *ignore_parse(struct arena *arena, const char *text)
{
	struct ignore *ignore = arena_new_of(arena, struct ignore);

	while (text && *text) {
		size_t len = strcspn(text, "\n");
		add_line(arena, ignore, text, len);
		text += len + (text[len] == '\n');
	}
	return ignore;
}

static bool matches(const struct pattern *pattern, const char *path)
{
	if (fnmatch(pattern->glob, path, FNM_PATHNAME) == 0)
		return true;
	if (pattern->anchored)
		return false;
	/* Not tied to DIR: any tail of the path will do. */
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/'))
		if (fnmatch(pattern->glob, slash + 1, FNM_PATHNAME) == 0)
			return true;
	return false;
}

bool ignore_matches(const struct ignore *ignore, const char *path, bool is_directory)
{
	for (const struct pattern *p = ignore->last; p; p = p->next)
		if ((is_directory || !p->directory) && matches(p, path))
			return !p->negated;
	return false;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/records.h"

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/cli/load.h"

#include <string.h>
#include <time.h>

int records_open(const struct context *context, struct state **ret_state, const char **ret_dir)
{
	CLEANUP(cleanup_free) char *dir = state_default_dir(context->options.state);
	struct error err = ERROR_INIT;

	*ret_dir = arena_strdup(context->arena, dir);
	if (state_open(dir, true, ret_state, &err) < 0)
		return command_fail(context, EXIT_PARTIAL, &err);
	return EXIT_IN_STEP;
}

int records_project(const struct context *context, const char **ret_project)
{
	struct manifest_set *set;

	*ret_project = context->options.project;
	if (*ret_project || !context->options.dir)
		return EXIT_IN_STEP;
	int code = load_manifests(context, &set);
	if (code != EXIT_IN_STEP)
		return code;
	*ret_project = arena_strdup(context->arena, set_project(set));
	set_unref(set);
	return EXIT_IN_STEP;
}

const char *records_age(const struct context *context, const char *rfc3339)
{
	struct tm tm = { 0 };

	if (!strptime(rfc3339, "%Y-%m-%dT%H:%M:%S", &tm))
		return "";
	long long age = (long long)(time(NULL) - timegm(&tm));
	if (age < 0)
		age = 0;
	if (age < 120)
		return arena_printf(context->arena, "%llds", age);
	if (age < 120 * 60)
		return arena_printf(context->arena, "%lldm", age / 60);
	if (age < 48 * 3600)
		return arena_printf(context->arena, "%lldh", age / 3600);
	return arena_printf(context->arena, "%lldd", age / 86400);
}

const char *records_revision(const struct context *context, const char *revision)
{
	enum { SHORT = 10 };
	const char *hex =
		str_has_prefix(revision, "sha256:") ? revision + strlen("sha256:") : revision;
	bool dirty = str_has_suffix(revision, "+");

	/* "(unreadable)" is no digest. */
	if (strspn(hex, "0123456789abcdef") <= SHORT)
		return revision;
	return arena_printf(context->arena, "%.*s%.*s%s", (int)(hex - revision), revision, SHORT,
			    hex, dirty ? "+" : "");
}

const char *records_text(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

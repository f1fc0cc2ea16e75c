/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/annotation.h"

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/cli/load.h"
#include "controller/plan/mask.h"
#include "controller/plan/render.h"

#include <string.h>

enum {
	TEXT_BYTES_MAX = 4000, /* a runner's page shows little more of one annotation */
	LINES_MAX = 30,
};

/* --- one line */

/* As the runner's own toolkit escapes (actions/toolkit, packages/core/src/command.ts); control
 * signs other than the ends of lines are made visible before. */
static void append_escaped(struct str *out, const char *text, bool property)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		CLEANUP(cleanup_free) char *line = xstrndup(text, len);
		struct str visible;

		str_init(&visible, 0);
		text_escape(line, &visible);
		for (const char *p = visible.data; *p; p++) {
			if (*p == '%' || (property && (*p == ':' || *p == ',')))
				str_printf(out, "%%%02X", (unsigned char)*p);
			else
				str_append_char(out, *p);
		}
		str_done(&visible);
		text += len;
		if (*text) {
			str_append(out, "%0A");
			text++;
		}
	}
}

/* From the job's checkout, as annotations want it. */
static char *path_of(const struct context *context, const char *file)
{
	const char *dir = load_dir(context), *top = getenv("GITHUB_WORKSPACE");
	size_t len = top ? strlen(top) : 0;

	if (len > 1 && strncmp(dir, top, len) == 0 && (dir[len] == '/' || dir[len] == '\0'))
		dir += len + strspn(dir + len, "/");
	while (dir[0] == '.' && (dir[1] == '/' || dir[1] == '\0'))
		dir += 1 + strspn(dir + 1, "/");
	return *dir ? xasprintf("%s%s%s", dir, str_has_suffix(dir, "/") ? "" : "/", file)
		    : xstrdup(file);
}

void annotate(const struct context *context, enum annotation level, const struct place *place,
	      const char *title, const char *text, struct str *out)
{
	static const char *const names[] = { "error", "warning", "notice" };
	const char *separator = " ";

	str_printf(out, "::%s", names[level]);
	if (place && place->file) {
		CLEANUP(cleanup_free) char *path = path_of(context, place->file);

		str_append(out, " file=");
		append_escaped(out, path, true);
		if (place->line)
			str_printf(out, ",line=%u", place->line);
		if (place->line && place->column)
			str_printf(out, ",col=%u", place->column);
		separator = ",";
	}
	if (title) {
		str_printf(out, "%stitle=", separator);
		append_escaped(out, title, true);
	}
	str_append(out, "::");
	append_escaped(out, text, false);
	str_append_char(out, '\n');
}

void annotate_diagnostics(const struct context *context, const struct diagnostics *diagnostics,
			  struct str *out)
{
	VEC_FOREACH (const struct diagnostic *, d, &diagnostics->list) {
		CLEANUP(cleanup_free)
		char *text = d->via ? xasprintf("%s\nused at %s:%u:%u", d->text, d->via->file,
						d->via->line, d->via->column)
				    : xstrdup(d->text);

		annotate(context,
			 d->severity == SEVERITY_ERROR ? ANNOTATION_ERROR : ANNOTATION_WARNING,
			 &d->place, NULL, text, out);
	}
}

/* --- a session */

struct item {
	const struct visit *visit;
	const struct action *action;
	const struct result *result; /* NULL before it is carried out */
};

static bool is_failure(const struct item *item)
{
	return item->result && item->result->err.code != ERROR_NONE;
}

static bool has_level(const struct item *item, enum annotation *ret_level)
{
	const struct action *action = item->action;

	if (is_failure(item) || action->verdict == VERDICT_REFUSE)
		*ret_level = ANNOTATION_ERROR;
	else if (action->verdict == VERDICT_REPLACE || action->verdict == VERDICT_REMOVE ||
		 action->loses_data || action->warning)
		*ret_level = ANNOTATION_WARNING;
	else if (action->verdict == VERDICT_CREATE || action->verdict == VERDICT_UPDATE)
		*ret_level = ANNOTATION_NOTICE;
	else
		return false;
	return true;
}

static struct item item_at(const struct session *session, size_t host, size_t index)
{
	const struct visit *visit = fleet_visit(session->fleet, host);

	return (struct item){
		.visit = visit,
		.action = &visit->plan.actions[index],
		.result = index < visit->results.count ? &visit->results.items[index] : NULL,
	};
}

static size_t actions_of(const struct session *session, size_t host)
{
	const struct visit *visit = fleet_visit(session->fleet, host);

	return visit->planned ? visit->plan.count : 0;
}

static bool same(const struct item *a, const struct item *b)
{
	enum annotation x, y;

	return a->action->kind == b->action->kind && a->action->verdict == b->action->verdict &&
	       strcmp(a->action->name, b->action->name) == 0 && has_level(a, &x) &&
	       has_level(b, &y) && x == y;
}

/* The same on another host; NULL action: not there. */
static struct item find_on(const struct session *session, size_t host, const struct item *like)
{
	for (size_t i = 0; i < actions_of(session, host); i++) {
		struct item item = item_at(session, host, i);

		if (same(&item, like))
			return item;
	}
	return (struct item){ 0 };
}

static void append_details(const struct item *item, size_t *lines, struct str *out)
{
	const char *host = item->visit->host->name;
	const struct action *action = item->action;
	const char *const notes[] = { action->reason, action->warning,
				      is_failure(item) ? item->result->err.text : NULL };

	for (size_t i = 0; i < ARRAY_SIZE(notes); i++) {
		if (notes[i] && ++*lines <= LINES_MAX)
			str_printf(out, "\n%s: %s", host, notes[i]);
	}
	VEC_FOREACH (const struct change *, change, &action->changes.list) {
		if (++*lines > LINES_MAX)
			return;
		CLEANUP(cleanup_free) char *path = mask_path(action, change);
		str_printf(out, "\n%s: %s: ", host, path);
		struct str before, after;

		str_init(&before, 0);
		str_init(&after, 0);
		render_change(action, change, &before, &after);
		str_printf(out, "%s -> %s", before.data, after.data);
		str_done(&before);
		str_done(&after);
	}
}

/* Is the place of a resource known? A leftover has no manifest. */
static const struct place *place_of(const struct resource *resource)
{
	return resource && resource->node ? &resource->node->place : NULL;
}

static void annotate_item(const struct session *session, size_t first, const struct item *item,
			  enum annotation level, struct str *out)
{
	CLEANUP(cleanup_free)
	char *title = xasprintf("%s/%s", item->action->kind->name, item->action->name);
	struct str text, details;
	size_t lines = 0;

	str_init(&text, TEXT_BYTES_MAX);
	str_init(&details, TEXT_BYTES_MAX);
	str_append(&text, verdict_name(item->action->verdict));
	for (size_t i = first; i < fleet_count(session->fleet); i++) {
		struct item other = i == first ? *item : find_on(session, i, item);

		if (!other.action)
			continue;
		str_printf(&text, "%s%s", i == first ? " on " : ", ", other.visit->host->name);
		append_details(&other, &lines, &details);
	}
	if (item->action->disruptive)
		str_append(&text, " (stops the service)");
	str_append(&text, details.data);
	if (lines > LINES_MAX)
		str_append(&text, "\n...");
	annotate(session->context, level, place_of(item->action->want), title, text.data, out);
	str_done(&text);
	str_done(&details);
}

static void annotate_level(const struct session *session, enum annotation level, struct str *out)
{
	for (size_t i = 0; i < fleet_count(session->fleet); i++) {
		for (size_t j = 0; j < actions_of(session, i); j++) {
			struct item item = item_at(session, i, j);
			enum annotation its;
			bool told = false;

			if (!has_level(&item, &its) || its != level)
				continue;
			for (size_t k = 0; k < i && !told; k++)
				told = find_on(session, k, &item).action != NULL;
			if (!told)
				annotate_item(session, i, &item, level, out);
		}
	}
}

static void annotate_not_ready(const struct session *session, struct str *out)
{
	const json_t *row;
	size_t i;

	json_array_foreach (session->not_ready, i, row) {
		const char *resource = json_string_value(json_object_get(row, "resource"));
		CLEANUP(cleanup_free)
		char *text = xasprintf("not ready on %s: %s",
				       json_string_value(json_object_get(row, "host")),
				       json_string_value(json_object_get(row, "message")));

		annotate(session->context, ANNOTATION_ERROR, NULL, resource, text, out);
	}
}

void annotate_session(const struct session *session, struct str *out)
{
	struct str text;

	for (size_t i = 0; i < fleet_count(session->fleet); i++) {
		const struct visit *visit = fleet_visit(session->fleet, i);
		CLEANUP(cleanup_free) char *title = xasprintf("Host/%s", visit->host->name);

		if (!visit->planned)
			annotate(session->context, ANNOTATION_ERROR, place_of(visit->host), title,
				 visit->err.text, out);
	}
	annotate_not_ready(session, out);
	for (enum annotation level = ANNOTATION_ERROR; level <= ANNOTATION_NOTICE; level++)
		annotate_level(session, level, out);
	str_init(&text, 0);
	render_summary(&session->summary, fleet_count(session->fleet), &text);
	annotate(session->context, ANNOTATION_NOTICE, NULL, session->context->command->name,
		 text.data, out);
	str_done(&text);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/plan/render.h"

#include <string.h>

#include "controller/base/mem.h"
#include "controller/plan/mask.h"

enum {
	INDENT_ACTION = 2,
	INDENT_CHANGE = 6,
	NAME_COLUMN_MAX = 48,
	PATH_COLUMN_MIN = 22,
	PATH_COLUMN_MAX = 40,
	VALUE_MIN = 16, /* columns that a cut value keeps on the narrowest terminal */
};

static const char masked_before[] = "*** (before)";
static const char masked_after[] = "*** (after)";
static const char color_off[] = "\033[0m";

struct look {
	char sign;
	const char *color;
};

static struct look look_of(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_KEEP:
		return (struct look){ ' ', "\033[2m" };
	case VERDICT_CREATE:
		return (struct look){ '+', "\033[32m" };
	case VERDICT_UPDATE:
	case VERDICT_REPLACE:
		return (struct look){ '~', "\033[33m" };
	case VERDICT_REMOVE:
		return (struct look){ '-', "\033[31m" };
	case VERDICT_REFUSE:
		return (struct look){ '!', "\033[1;31m" };
	case VERDICT_LEFTOVER:
		return (struct look){ '?', "\033[2m" };
	}
	return (struct look){ ' ', "" };
}

/* Columns, as far as one code point is one column. */
static size_t columns(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

static void append_cut(struct str *out, const char *text, size_t room)
{
	const char *end = text;

	if (columns(text) <= room) {
		str_append(out, text);
		return;
	}
	for (size_t count = 0; *end; end++) {
		if (((unsigned char)*end & 0xc0) != 0x80 && count++ == room - 1)
			break;
	}
	str_append_n(out, text, (size_t)(end - text));
	str_append(out, "…");
}

static void pad(struct str *out, size_t have, size_t want)
{
	do
		str_append_char(out, ' ');
	while (++have < want);
}

void render_change(const struct action *action, const struct change *change, struct str *before,
		   struct str *after)
{
	const struct field *row = change->leaf;

	if (!row && strcmp(change->path, change->field->key) == 0)
		row = change->field;
	if (before && change->before && mask_before(action, change))
		str_append(before, masked_before);
	else if (before)
		schema_print_value(row, change->before, before);
	if (after && change->after && mask_after(action, change))
		str_append(after, masked_after);
	else if (after)
		schema_print_value(row, change->after, after);
}

static void render_change_line(const struct action *action, const struct change *change,
			       size_t path_width, const struct render_options *options,
			       struct str *out)
{
	static const char arrow[] = " -> ";
	CLEANUP(cleanup_free) char *shown = mask_path(action, change);
	struct str path, before, after;
	size_t before_room = SIZE_MAX, after_room = SIZE_MAX;

	str_init(&path, 0);
	str_init(&before, 0);
	str_init(&after, 0);
	text_escape(shown, &path);
	render_change(action, change, &before, &after);
	size_t start = INDENT_CHANGE +
		       (columns(path.data) > path_width ? columns(path.data) : path_width) + 1;
	if (options->width > 0) {
		size_t room = (size_t)options->width > start + strlen(arrow) + 2 * VALUE_MIN
				      ? (size_t)options->width - start - strlen(arrow)
				      : 2 * VALUE_MIN;

		/* What one of them does not need the other may have. */
		before_room = room / 2;
		after_room = room - before_room;
		if (columns(before.data) < before_room)
			after_room = room - columns(before.data);
		else if (columns(after.data) < after_room)
			before_room = room - columns(after.data);
	}
	str_printf(out, "%*s%s", INDENT_CHANGE, "", path.data);
	pad(out, columns(path.data), path_width + 1);
	append_cut(out, before.data, before_room);
	str_append(out, arrow);
	append_cut(out, after.data, after_room);
	str_append_char(out, '\n');
	str_done(&path);
	str_done(&before);
	str_done(&after);
}

static void render_note(struct str *out, const char *prefix, const char *text)
{
	str_printf(out, "%*s%s", INDENT_CHANGE, "", prefix);
	text_escape(text, out);
	str_append_char(out, '\n');
}

static void render_flags(const struct action *action, struct str *out)
{
	const struct {
		bool set;
		const char *text;
	} flags[] = {
		{ action->disruptive, "stops the service" },
		{ action->verdict == VERDICT_REPLACE && action->start_first,
		  "the new one starts first" },
		{ action->loses_data, "loses data" },
		{ action->backup_first, "after a backup" },
		{ action->known_after_pull, "image not there: known after pull" },
	};
	const char *separator = "   (";

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (!flags[i].set)
			continue;
		str_printf(out, "%s%s", separator, flags[i].text);
		separator = ", ";
	}
	if (separator[0] == ',')
		str_append_char(out, ')');
}

static bool is_shown(const struct action *action, const struct render_options *options)
{
	return options->all || action->verdict != VERDICT_KEEP || action->warning;
}

static size_t path_width(const struct action *action)
{
	size_t width = PATH_COLUMN_MIN;

	VEC_FOREACH (const struct change *, change, &action->changes.list) {
		CLEANUP(cleanup_free) char *path = mask_path(action, change);
		size_t len = columns(path);

		if (len > width && len <= PATH_COLUMN_MAX)
			width = len;
	}
	return width;
}

static void render_action(const struct action *action, size_t name_width,
			  const struct render_options *options, struct str *out)
{
	struct look look = look_of(action->verdict);
	struct str name;

	str_init(&name, 0);
	str_printf(&name, "%s/", action->kind->name);
	text_escape(action->name, &name);
	str_printf(out, "%*s%s%c %s%s", INDENT_ACTION, "", options->color ? look.color : "",
		   look.sign, name.data, options->color ? color_off : "");
	pad(out, columns(name.data), name_width + 2);
	str_append(out, verdict_name(action->verdict));
	render_flags(action, out);
	str_append_char(out, '\n');
	str_done(&name);
	if (action->reason)
		render_note(out, "", action->reason);
	if (action->verdict == VERDICT_REPLACE && action->order_reason)
		render_note(out,
			    "stop-first, though start-first is asked for: ", action->order_reason);
	if (action->warning)
		render_note(out, "warning: ", action->warning);
	size_t width = path_width(action);
	VEC_FOREACH (const struct change *, change, &action->changes.list)
		render_change_line(action, change, width, options, out);
}

void render_plan(const struct plan *plan, const struct render_options *options, struct str *out)
{
	size_t name_width = 0, shown = 0;

	for (size_t i = 0; i < plan->count; i++) {
		const struct action *action = &plan->actions[i];
		size_t len = strlen(action->kind->name) + 1 + columns(action->name);

		if (!is_shown(action, options))
			continue;
		shown++;
		if (len > name_width && len <= NAME_COLUMN_MAX)
			name_width = len;
	}
	text_escape(plan->host, out);
	str_append(out, plan_has_differences(plan) ? "\n" : "   in step\n");
	for (size_t i = 0; i < plan->warning_count; i++) {
		str_printf(out, "%*swarning: ", INDENT_ACTION, "");
		text_escape(plan->warnings[i], out);
		str_append_char(out, '\n');
	}
	for (size_t i = 0; shown > 0 && i < plan->count; i++) {
		if (is_shown(&plan->actions[i], options))
			render_action(&plan->actions[i], name_width, options, out);
	}
}

void render_summary(const struct plan_summary *summary, size_t hosts, struct str *out)
{
	str_printf(out,
		   "%zu to create, %zu to update, %zu to replace, %zu to remove, %zu refused on "
		   "%zu %s",
		   summary->create, summary->update, summary->replace, summary->remove,
		   summary->refuse, hosts, hosts == 1 ? "host" : "hosts");
}

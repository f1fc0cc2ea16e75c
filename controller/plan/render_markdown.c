/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/plan/render_markdown.h"

#include <ctype.h>
#include <string.h>

#include "controller/base/mem.h"
#include "controller/plan/mask.h"
#include "controller/plan/render.h"

enum {
	LINE_BYTES_MAX = 2000, /* of a change: a value may be a whole script */
	FOOTER_BYTES = 300,    /* kept free for what is said of what was left out */
	HOSTS_PART = 2,	       /* the table of hosts gets one part in so many */
};

/* Text between tags: nothing but letters, digits and bytes of UTF-8 stands for itself. */
static void append_inert(struct str *out, const char *text)
{
	struct str escaped;

	str_init(&escaped, 0);
	text_escape(text, &escaped);
	for (const char *p = escaped.data; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (isalnum(c) || c == ' ' || c >= 0x80)
			str_append_char(out, *p);
		else
			str_printf(out, "&#%u;", c);
	}
	str_done(&escaped);
}

static void append_code(struct str *out, const char *text)
{
	str_append(out, "<code>");
	append_inert(out, text);
	str_append(out, "</code>");
}

/* Bytes of a text within the limit, without cutting a character. */
static size_t fitting(const char *text, size_t limit)
{
	size_t len = strlen(text);

	if (len <= limit)
		return len;
	while (limit > 0 && ((unsigned char)text[limit] & 0xc0) == 0x80)
		limit--;
	return limit;
}

/* A line of a fenced block. It begins with the block's own sign: no line of foreign text can end
 * the block. */
static void append_line(struct str *out, const char *sign, const char *text)
{
	struct str escaped;

	str_init(&escaped, 0);
	text_escape(text, &escaped);
	size_t len = fitting(escaped.data, LINE_BYTES_MAX);
	str_printf(out, "%s ", sign);
	str_append_n(out, escaped.data, len);
	str_append(out, escaped.data[len] ? "…\n" : "\n");
	str_done(&escaped);
}

/* --- one action */

static bool is_shown(const struct action *action, const struct result *result)
{
	return action->verdict != VERDICT_KEEP || action->warning ||
	       (result && result->err.code != ERROR_NONE);
}

static void append_change(struct str *out, const struct action *action, const struct change *change)
{
	CLEANUP(cleanup_free) char *path = mask_path(action, change);
	struct str before, after, line;

	str_init(&before, 0);
	str_init(&after, 0);
	str_init(&line, 0);
	render_change(action, change, &before, &after);
	if (change->before) {
		str_printf(&line, "%s: %s", path, before.data);
		append_line(out, "-", line.data);
		str_clear(&line);
	}
	if (change->after) {
		str_printf(&line, "%s: %s", path, after.data);
		append_line(out, "+", line.data);
	}
	str_done(&before);
	str_done(&after);
	str_done(&line);
}

static void append_flags(struct str *out, const struct action *action)
{
	const struct {
		bool set;
		const char *text;
	} flags[] = {
		{ action->disruptive, "stops the service" },
		{ action->loses_data, "<b>loses data</b>" },
		{ action->backup_first, "after a backup" },
		{ action->known_after_pull, "known after pull" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (flags[i].set)
			str_printf(out, ", %s", flags[i].text);
	}
}

static void append_outcome(struct str *out, const struct result *result)
{
	if (!result || result->outcome == OUTCOME_KEPT)
		return;
	str_printf(out, ": <b>%s</b>", outcome_name(result->outcome));
	if (result->outcome == OUTCOME_DONE)
		str_printf(out, " in %.1f s", (double)result->duration_ms / 1000);
}

static void append_action(struct str *out, const struct action *action, const struct result *result)
{
	bool failed = result && result->err.code != ERROR_NONE;
	bool more = action->reason || action->warning || action->changes.list.count || failed;

	str_append(out, more ? "<details><summary>" : "- ");
	str_append(out, "<code>");
	append_inert(out, action->kind->name);
	append_inert(out, "/");
	append_inert(out, action->name);
	str_printf(out, "</code> %s", verdict_name(action->verdict));
	append_flags(out, action);
	append_outcome(out, result);
	if (!more) {
		str_append(out, "\n\n");
		return;
	}
	str_append(out, "</summary>\n\n```diff\n");
	if (action->reason)
		append_line(out, "#", action->reason);
	if (action->warning)
		append_line(out, "! warning:", action->warning);
	VEC_FOREACH (const struct change *, change, &action->changes.list)
		append_change(out, action, change);
	if (failed)
		append_line(out, "!", result->err.text);
	str_append(out, "```\n\n</details>\n\n");
}

/* --- the table of hosts */

static void append_row(struct str *out, const struct markdown_host *host)
{
	struct plan_summary sum = { 0 };

	str_append(out, "| ");
	append_code(out, host->host);
	if (!host->plan) {
		str_append(out, " | | | | | | <b>not planned</b>: ");
		append_code(out, host->err ? host->err->text : "");
		str_append(out, " |\n");
		return;
	}
	plan_summarize(host->plan, &sum);
	str_printf(out, " | %zu | %zu | %zu | %zu | %zu | ", sum.create, sum.update, sum.replace,
		   sum.remove, sum.refuse);
	if (host->results && host->results->failed + host->results->blocked > 0)
		str_printf(out, "<b>%zu failed</b>",
			   host->results->failed + host->results->blocked);
	for (size_t i = 0; i < host->plan->warning_count; i++) {
		str_append(out, "warning: ");
		append_code(out, host->plan->warnings[i]);
	}
	str_append(out, " |\n");
}

static bool has_row(const struct markdown_host *host)
{
	return !host->plan || plan_has_differences(host->plan) || host->plan->warning_count > 0;
}

static void append_hosts(struct str *out, const struct markdown_report *report)
{
	size_t in_step = 0, left_out = 0, limit = report->max_bytes / HOSTS_PART;
	struct str row;

	str_init(&row, 0);
	str_append(out, "| Host | Create | Update | Replace | Remove | Refused | |\n"
			"|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < report->count; i++) {
		if (!has_row(&report->hosts[i])) {
			in_step++;
			continue;
		}
		str_clear(&row);
		append_row(&row, &report->hosts[i]);
		if (out->len + row.len <= limit)
			str_append(out, row.data);
		else
			left_out++;
	}
	if (in_step)
		str_printf(out, "| %zu in step | | | | | | |\n", in_step);
	if (left_out)
		str_printf(out, "| %zu more | | | | | | |\n", left_out);
	str_append_char(out, '\n');
	str_done(&row);
}

/* --- the whole */

/* What fits, resource by resource. Returns how many did not. */
static size_t append_sections(struct str *out, const struct markdown_report *report)
{
	struct str section;
	size_t left_out = 0;

	str_init(&section, 0);
	for (size_t i = 0; i < report->count; i++) {
		const struct markdown_host *host = &report->hosts[i];
		bool headed = false;

		for (size_t j = 0; host->plan && j < host->plan->count; j++) {
			const struct result *result = host->results && j < host->results->count
							      ? &host->results->items[j]
							      : NULL;

			if (!is_shown(&host->plan->actions[j], result))
				continue;
			str_clear(&section);
			if (!headed) {
				str_append(&section, "#### ");
				append_code(&section, host->host);
				str_append(&section, "\n\n");
			}
			append_action(&section, &host->plan->actions[j], result);
			if (out->len + section.len + FOOTER_BYTES > report->max_bytes) {
				left_out++;
				continue;
			}
			str_append(out, section.data);
			headed = true;
		}
	}
	str_done(&section);
	return left_out;
}

static void append_not_ready(struct str *out, const json_t *rows)
{
	static const char *const members[] = { "host", "resource", "message" };
	const json_t *row;
	size_t i;

	if (json_array_size(rows) > 0)
		str_append(out, "**Not ready in time:**\n\n");
	json_array_foreach (rows, i, row) {
		str_append_char(out, '-');
		for (size_t j = 0; j < ARRAY_SIZE(members); j++) {
			const char *text = json_string_value(json_object_get(row, members[j]));

			if (!text)
				continue;
			str_append_char(out, ' ');
			append_code(out, text);
		}
		str_append_char(out, '\n');
	}
	if (json_array_size(rows) > 0)
		str_append_char(out, '\n');
}

static void append_title(struct str *out, const char *command)
{
	/* Found again by whoever wants to replace an earlier comment. */
	str_printf(out, "<!-- drey %s -->\n### drey %s\n\n", command, command);
}

void render_markdown(const struct markdown_report *report, struct str *out)
{
	struct str line;

	str_init(&line, 0);
	append_title(out, report->command);
	render_summary(report->summary, report->count, &line);
	str_printf(out, "**%s**", line.data);
	str_done(&line);
	str_append(out, ", project ");
	append_code(out, report->project);
	str_append(out, ", revision ");
	append_code(out, report->revision);
	str_append(out, "\n\n");
	if (report->error) {
		append_code(out, report->error);
		str_append(out, "\n\n");
	}
	append_not_ready(out, report->not_ready);
	append_hosts(out, report);
	size_t left_out = append_sections(out, report);
	if (left_out)
		str_printf(out,
			   "%zu more resource%s left out, since a comment may not be longer; "
			   "`drey %s` shows all.\n",
			   left_out, left_out == 1 ? " is" : "s are", report->command);
}

void render_markdown_error(const char *command, const char *text, struct str *out)
{
	append_title(out, command);
	str_append(out, "**Failed**\n\n```\n");
	for (const char *end; *text; text = *end ? end + 1 : end) {
		if (out->len + LINE_BYTES_MAX + FOOTER_BYTES > MARKDOWN_BYTES_MAX) {
			str_append(out, "…\n");
			break;
		}
		end = text + strcspn(text, "\n");
		CLEANUP(cleanup_free) char *line = xstrndup(text, (size_t)(end - text));

		append_line(out, "#", line);
	}
	str_append(out, "```\n");
}

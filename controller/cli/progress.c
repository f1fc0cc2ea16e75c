/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/progress.h"

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/base/vec.h"
#include "controller/cli/output.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	REDRAW_MS = 100,  /* at most so often: a pull reports hundreds of times a second */
	STEP_MS = 20,	  /* the same for steps of many hosts; those of few are drawn at once, */
	FEW = 8,	  /* since the next report may be long in coming */
	LAYERS_MAX = 256, /* of one image; an engine allows 127 */
};

struct layer {
	char *name;
	int64_t current, total;
};

/* A host that is at work. */
struct line {
	char *host, *resource, *text;
	char *said; /* the last line that was written where there is no terminal */
	enum progress_kind kind;
	int64_t current, total; /* PROGRESS_BYTES */
	VEC(struct layer) layers;
};

struct progress_view {
	const struct context *context;
	bool redraws; /* stderr is a terminal */
	VEC(struct line *) lines;
	int drawn; /* lines on the terminal now */
	int64_t drawn_ms;
};

struct progress_view *progress_new(const struct context *context)
{
	struct progress_view *view = xcalloc(1, sizeof(*view));
	const char *term = getenv("TERM");

	view->context = context;
	view->redraws = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
	return view;
}

static void drop_layers(struct line *line)
{
	VEC_FOREACH (struct layer *, layer, &line->layers)
		free(layer->name);
	vec_done(&line->layers);
}

static void free_line(struct line *line)
{
	drop_layers(line);
	free(line->host);
	free(line->resource);
	free(line->text);
	free(line->said);
	free(line);
}

void progress_free(struct progress_view *view)
{
	if (!view)
		return;
	progress_clear(view);
	for (size_t i = 0; i < view->lines.count; i++)
		free_line(view->lines.items[i]);
	vec_done(&view->lines);
	free(view);
}

static struct line *line_of(struct progress_view *view, const char *host)
{
	for (size_t i = 0; i < view->lines.count; i++) {
		if (strcmp(view->lines.items[i]->host, host) == 0)
			return view->lines.items[i];
	}
	struct line *line = xcalloc(1, sizeof(*line));
	line->host = xstrdup(host);
	line->text = xstrdup("");
	vec_push(&view->lines, line);
	return line;
}

static void update_layer(struct line *line, const struct progress *progress)
{
	struct layer *found = NULL;

	VEC_FOREACH (struct layer *, layer, &line->layers) {
		if (strcmp(layer->name, progress->item) == 0)
			found = layer;
	}
	if (!found) {
		if (line->layers.count == LAYERS_MAX)
			return;
		vec_push(&line->layers, ((struct layer){ .name = xstrdup(progress->item) }));
		found = &line->layers.items[line->layers.count - 1];
	}
	/* Unpacking counts from the start again: what has arrived stays arrived. */
	if (progress->current > found->current)
		found->current = progress->current;
	if (progress->total > found->total)
		found->total = progress->total;
}

/* True when the host has begun something else. */
static bool update_line(struct line *line, const struct progress *progress)
{
	const char *text = progress->text ? progress->text : "";
	bool other = line->kind != progress->kind || strcmp(line->text, text) != 0 ||
		     !str_eq(line->resource, progress->resource);

	if (other) {
		free(line->text);
		free(line->resource);
		line->text = xstrdup(text);
		line->resource = progress->resource ? xstrdup(progress->resource) : NULL;
		line->kind = progress->kind;
		drop_layers(line);
	}
	line->current = progress->current;
	line->total = progress->total;
	if (progress->kind == PROGRESS_PULL && progress->item)
		update_layer(line, progress);
	return other;
}

void progress_bytes(int64_t current, int64_t total, struct str *out)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double divisor = 1;
	size_t unit = 0;

	for (double top = (double)(total ? total : current);
	     top / divisor >= 1000 && unit + 1 < ARRAY_SIZE(units); unit++)
		divisor *= 1000;
	str_printf(out, "%.*f", unit ? 1 : 0, (double)current / divisor);
	if (total)
		str_printf(out, "/%.*f", unit ? 1 : 0, (double)total / divisor);
	str_printf(out, " %s", units[unit]);
}

static void describe_layers(const struct line *line, struct str *out)
{
	int64_t current = 0, total = 0;
	size_t done = 0;

	VEC_FOREACH (const struct layer *, layer, &line->layers) {
		current += layer->current;
		total += layer->total;
		done += layer->total > 0 && layer->current >= layer->total;
	}
	if (line->layers.count > 0)
		str_printf(out, "  %zu/%zu layers", done, line->layers.count);
	if (total > 0) {
		str_append(out, "  ");
		progress_bytes(current, total, out);
	}
}

/* Without what changes by the moment: what stands in a log. */
static void describe_step(const struct line *line, const char *gap, struct str *out)
{
	str_append(out, line->host);
	if (line->resource)
		str_printf(out, "%s%s", gap, line->resource);
	str_printf(out, "%s%s%s", gap, line->kind == PROGRESS_PULL ? "pull " : "", line->text);
}

/* Texts come from engines: no control character of theirs reaches the terminal. */
static void put_safely(struct str *out, const char *text, size_t columns)
{
	size_t column = 0;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if ((c & 0xc0) != 0x80 && ++column > columns)
			return;
		str_append_char(out, c < 0x20 || c == 0x7f ? '?' : *text);
	}
}

static void draw_line(const struct line *line, size_t columns, struct str *out)
{
	struct str text;

	str_init(&text, 0);
	describe_step(line, "  ", &text);
	if (line->kind == PROGRESS_PULL)
		describe_layers(line, &text);
	if (line->kind == PROGRESS_BYTES && line->current > 0) {
		str_append(&text, "  ");
		progress_bytes(line->current, line->total, &text);
	}
	put_safely(out, text.data, columns);
	str_append(out, "\033[K\n");
	str_done(&text);
}

/* Up to the first line that was drawn. */
static void rewind_lines(struct progress_view *view, struct str *out)
{
	if (view->drawn > 0)
		str_printf(out, "\033[%dA\r", view->drawn);
	view->drawn = 0;
}

static void flush(const struct str *out)
{
	fflush(stdout);
	fputs(out->data, stderr);
	fflush(stderr);
}

static void redraw(struct progress_view *view)
{
	struct winsize size = { 0 };
	struct str out;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 20 || size.ws_row < 4) {
		size.ws_col = 80;
		size.ws_row = 24;
	}
	/* What scrolls off the screen can't be redrawn: one line less than it has, one for the
	 * prompt of the shell above, one for the count of the rest. */
	size_t room = (size_t)size.ws_row - 3;
	str_init(&out, 0);
	rewind_lines(view, &out);
	for (size_t i = 0; i < view->lines.count && i < room; i++, view->drawn++)
		draw_line(view->lines.items[i], (size_t)size.ws_col - 1, &out);
	if (view->lines.count > room) {
		str_printf(&out, "… and %zu more hosts\033[K\n", view->lines.count - room);
		view->drawn++;
	}
	str_append(&out, "\033[J");
	flush(&out);
	str_done(&out);
	view->drawn_ms = io_now_ms();
}

void progress_clear(struct progress_view *view)
{
	struct str out;

	if (view->drawn == 0)
		return;
	str_init(&out, 0);
	rewind_lines(view, &out);
	str_append(&out, "\033[J");
	flush(&out);
	str_done(&out);
}

void progress_update(struct progress_view *view, const struct progress *progress)
{
	struct str text;

	if (view->context->options.quiet || !progress->host)
		return;
	struct line *line = line_of(view, progress->host);
	bool other = update_line(line, progress);
	if (view->redraws) {
		int64_t pause_ms = !other ? REDRAW_MS : view->lines.count > FEW ? STEP_MS : 0;
		if (io_now_ms() - view->drawn_ms >= pause_ms)
			redraw(view);
		return;
	}
	if (!other)
		return;
	struct str plain;
	str_init(&text, 0);
	str_init(&plain, 0);
	describe_step(line, ": ", &text);
	put_safely(&plain, text.data, SIZE_MAX);
	str_append_char(&plain, '\n');
	/* A pull is a step of its own and tells of its layers then: one line for both. */
	if (!str_eq(line->said, plain.data)) {
		flush(&plain);
		free(line->said);
		line->said = xstrdup(plain.data);
	}
	str_done(&plain);
	str_done(&text);
}

static const char *past_of(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_CREATE:
		return "created";
	case VERDICT_UPDATE:
		return "updated";
	case VERDICT_REPLACE:
		return "replaced";
	case VERDICT_REMOVE:
		return "removed";
	default:
		return verdict_name(verdict);
	}
}

static void print_result(const struct progress_view *view, const char *host,
			 const struct result *result)
{
	const struct context *context = view->context;
	const struct action *action = result->action;
	FILE *to = result->outcome == OUTCOME_DONE ? stdout : stderr;

	fflush(stdout);
	if (result->outcome == OUTCOME_DONE) {
		fprintf(to, "%s: %s/%s: %s%s%s", host, action->kind->name, action->name,
			output_color(context, COLOR_GREEN), past_of(action->verdict),
			output_color(context, COLOR_NONE));
		if (result->duration_ms >= 100)
			fprintf(to, " in %.1f s", (double)result->duration_ms / 1000);
		fputc('\n', to);
	} else {
		fprintf(to, "drey: %s: %s/%s: %s: %s\n", host, action->kind->name, action->name,
			outcome_name(result->outcome), result->err.text);
	}
	fflush(to);
}

void progress_result(struct progress_view *view, const char *host, const struct result *result)
{
	if (result->outcome == OUTCOME_KEPT || view->context->options.output != OUTPUT_HUMAN)
		return;
	progress_clear(view);
	print_result(view, host, result);
	if (view->redraws && view->lines.count > 0)
		redraw(view);
}

void progress_host_done(struct progress_view *view, const char *host)
{
	for (size_t i = 0; i < view->lines.count; i++) {
		if (strcmp(view->lines.items[i]->host, host) != 0)
			continue;
		free_line(view->lines.items[i]);
		memmove(&view->lines.items[i], &view->lines.items[i + 1],
			(view->lines.count - i - 1) * sizeof(*view->lines.items));
		view->lines.count--;
		if (view->redraws && view->drawn > 0)
			redraw(view);
		return;
	}
}

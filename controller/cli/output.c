/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/output.h"

#include "controller/base/mem.h"
#include "controller/cli/options.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int terminal_columns(void)
{
	enum { USUAL = 80, NARROWEST = 20, WIDEST = 500 };
	struct winsize size = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < NARROWEST)
		return USUAL;
	return size.ws_col > WIDEST ? WIDEST : size.ws_col;
}

void output_init(struct context *context)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	context->terminal_in = isatty(STDIN_FILENO);
	context->terminal_out = isatty(STDOUT_FILENO);
	context->columns = terminal_columns();
	/* https://no-color.org: set to anything but nothing. */
	context->color = context->terminal_out && !context->options.no_color &&
			 !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
}

json_t *output_document(const struct context *context)
{
	return json_pack("{s:i, s:s}", "format", OUTPUT_FORMAT, "command",
			 command_name(context->command));
}

void output_json(json_t *document)
{
	json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	fputc('\n', stdout);
	json_decref(document);
}

bool output_is_document(const struct context *context)
{
	return context->options.output == OUTPUT_JSON || context->options.output == OUTPUT_YAML;
}

void output_print(const struct context *context, json_t *document)
{
	struct str text;

	if (context->options.output != OUTPUT_YAML) {
		output_json(document);
		return;
	}
	str_init(&text, 0);
	output_yaml(document, &text);
	fputs(text.data, stdout);
	str_done(&text);
	json_decref(document);
}

json_t *output_error(const struct error *err)
{
	return json_pack("{s:s, s:s}", "code", error_code_name(err->code), "message", err->text);
}

void output_warning(const struct context *context, const char *fmt, ...)
{
	va_list ap;

	if (context->options.quiet)
		return;
	va_start(ap, fmt);
	CLEANUP(cleanup_free) char *text = xvasprintf(fmt, ap);
	va_end(ap);
	fprintf(stderr, "drey: warning: %s\n", text);
}

const char *output_color(const struct context *context, enum color color)
{
	static const char *const sequences[] = {
		[COLOR_NONE] = "\033[0m",    [COLOR_RED] = "\033[31m",	[COLOR_GREEN] = "\033[32m",
		[COLOR_YELLOW] = "\033[33m", [COLOR_CYAN] = "\033[36m", [COLOR_BOLD] = "\033[1m",
		[COLOR_DIM] = "\033[2m",
	};

	return context->color ? sequences[color] : "";
}

size_t output_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

void output_wrap(struct str *out, const char *text, unsigned indent, unsigned width)
{
	size_t column = indent;

	while (*text) {
		size_t len = strcspn(text, " \n");
		CLEANUP(cleanup_free) char *word = xstrndup(text, len);
		size_t wide = output_width(word);

		if (column > indent && column + 1 + wide > width) {
			str_printf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			str_append_char(out, ' ');
			column++;
		}
		str_append(out, word);
		column += wide;
		text += len;
		for (; *text == ' ' || *text == '\n'; text++) {
			if (*text != '\n')
				continue;
			str_append_char(out, '\n');
			if (text[1] && text[1] != '\n')
				str_printf(out, "%*s", (int)indent, "");
			column = indent;
		}
	}
}

void table_init(struct table *table, size_t columns)
{
	*table = (struct table){ .columns = columns };
}

void table_add(struct table *table, const char *const *cells)
{
	for (size_t i = 0; i < table->columns; i++)
		vec_push(&table->cells, xstrdup(cells[i] ? cells[i] : ""));
}

/* At most `room` columns of the text, "…" where it was cut; one line. */
static void append_cut(struct str *out, const char *text, size_t room)
{
	bool cut = output_width(text) > room;
	size_t column = 0;

	for (; *text; text++) {
		if (((unsigned char)*text & 0xc0) != 0x80 && cut && ++column >= room)
			break;
		str_append_char(out, *text == '\n' ? ' ' : *text);
	}
	if (cut)
		str_append(out, "…");
}

static void print_row(const struct table *table, const size_t *widths, size_t row, size_t room,
		      struct str *out)
{
	size_t last = table->columns - 1, used = 0;

	for (size_t i = 0; i < last; i++) {
		const char *cell = table->cells.items[row * table->columns + i];
		bool more = false;
		/* Nothing after it: no blanks at the end of the line. */
		for (size_t j = i + 1; j <= last; j++)
			more = more || *table->cells.items[row * table->columns + j];
		str_append(out, cell);
		if (more)
			str_printf(out, "%*s", (int)(widths[i] - output_width(cell) + 2), "");
		used += widths[i] + 2;
	}
	append_cut(out, table->cells.items[row * table->columns + last],
		   room > used + 8 ? room - used : SIZE_MAX);
	str_append_char(out, '\n');
}

void table_print(const struct table *table, const struct context *context, struct str *out)
{
	CLEANUP(cleanup_free) size_t *widths = xcalloc(table->columns, sizeof(*widths));
	size_t room = context->terminal_out ? (size_t)context->columns : SIZE_MAX;

	for (size_t i = 0; i < table->cells.count; i++) {
		size_t width = output_width(table->cells.items[i]);
		if (width > widths[i % table->columns])
			widths[i % table->columns] = width;
	}
	for (size_t row = 0; row < table->cells.count / table->columns; row++) {
		if (row == 0)
			str_append(out, output_color(context, COLOR_BOLD));
		print_row(table, widths, row, room, out);
		if (row == 0)
			str_append(out, output_color(context, COLOR_NONE));
	}
}

void table_done(struct table *table)
{
	for (size_t i = 0; i < table->cells.count; i++)
		free(table->cells.items[i]);
	vec_done(&table->cells);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What commands print. Results go to stdout, everything else to stderr; with `-o json` stdout has
 * one JSON document, its form described in docs/reference/output.md.
 */
#pragma once

#include "controller/base/str.h"
#include "controller/base/vec.h"
#include "controller/cli/command.h"

#include <jansson.h>

enum { OUTPUT_FORMAT = 1 }; /* "format" of every JSON document; grows when a member changes */

/* Finds out about terminal, colours ($NO_COLOR, $TERM, --no-color) and width. */
void output_init(struct context *context);

/* {"format":1,"command":"validate"}, to which the command adds. New reference. */
json_t *output_document(const struct context *context);
/* Prints the document on stdout and releases it. */
void output_json(json_t *document);
/* Is the output one document, in JSON or YAML? */
bool output_is_document(const struct context *context);
/* As output_json(), in the form that was asked for. */
void output_print(const struct context *context, json_t *document);
/* Appends a document as YAML. */
void output_yaml(const json_t *document, struct str *out);
/* {"code":"denied","message":"..."}, the member "error" of documents, hosts and results. New
 * reference. */
json_t *output_error(const struct error *err);
/* "drey: warning: TEXT" on stderr, unless --quiet. */
void output_warning(const struct context *context, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

enum color { COLOR_NONE, COLOR_RED, COLOR_GREEN, COLOR_YELLOW, COLOR_CYAN, COLOR_BOLD, COLOR_DIM };
/* The sequence that turns a colour on, or off with COLOR_NONE; "" without colours. */
const char *output_color(const struct context *context, enum color color);

/* Appends text in lines of at most `width` columns, each after `indent` spaces; the first line is
 * taken to be indented already. Newlines in the text stay. */
void output_wrap(struct str *out, const char *text, unsigned indent, unsigned width);
/* Columns that a UTF-8 text takes on a terminal, a code point counted as one. */
size_t output_width(const char *text);

/* Rows of cells, each column as wide as its widest cell, two spaces between. */
struct table {
	size_t columns;
	VEC(char *) cells;
};
void table_init(struct table *table, size_t columns);
/* One row: `columns` strings, copied; NULL is "". */
void table_add(struct table *table, const char *const *cells);
/* The last column is cut to the context's columns on a terminal. The first row is a heading. */
void table_print(const struct table *table, const struct context *context, struct str *out);
void table_done(struct table *table);

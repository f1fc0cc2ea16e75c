/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "manifests/yaml_error.h"

#include <stdio.h>
#include <string.h>

/* libyaml's problem texts (scanner.c, parser.c of 0.2.5) and what helps. */
static const struct {
	const char *problem, *expected;
} remedies[] = {
	{ "mapping values are not allowed in this context",
	  "a ': ' is not allowed here; put a value that holds ': ' in quotes, or mend the "
	  "indentation" },
	{ "did not find expected key",
	  "expected 'key: value' or the end of the mapping; check the indentation and unclosed "
	  "quotes above" },
	{ "did not find expected '-' indicator",
	  "expected '- ' with the next element or the end of the list; check the indentation" },
	{ "did not find expected ',' or ']'", "expected ',' or ']' in the list in brackets" },
	{ "did not find expected ',' or '}'", "expected ',' or '}' in the mapping in braces" },
	{ "could not find expected ':'", "expected ':' after the key" },
	{ "found unexpected end of stream", "expected the closing quote before the file ends" },
	{ "found unexpected document indicator",
	  "expected the closing quote before the document ends" },
	{ "found unknown escape character",
	  "expected an escape sequence that YAML knows; a backslash in double quotes is written "
	  "twice, or take single quotes" },
	{ "block sequence entries are not allowed in this context",
	  "a '- ' is not allowed here; begin the list on its own line" },
	{ "did not find expected <document start>",
	  "expected '---' before another document, or the end of the file" },
	{ "did not find expected node content", "expected a value" },
	{ "control characters are not allowed",
	  "control characters are not allowed; write them as escapes in double quotes" },
	{ "found a tab character that violates indentation",
	  "a tab cannot indent in YAML; use spaces" },
	{ "found a tab character where an indentation space is expected",
	  "a tab cannot indent in YAML; use spaces" },
	{ "Exceeded maximum depth", "nested too deeply" },
};

static const char *line_start(const char *text, size_t len, size_t line)
{
	const char *p = text, *end = text + len;

	while (line-- > 0) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		if (!newline)
			return end;
		p = newline + 1;
	}
	return p;
}

/* The text at a mark, up to 40 characters of its line; the mark counts characters. */
static void found_text(const char *text, size_t len, const yaml_mark_t *mark, struct str *out)
{
	const char *p = line_start(text, len, mark->line), *end = text + len;

	for (size_t column = 0; column < mark->column && p < end && *p != '\n'; column++)
		do
			p++;
		while (p < end && ((unsigned char)*p & 0xc0) == 0x80);
	for (int n = 0; n < 40 && p < end && *p != '\n' && *p != '\r'; n++)
		do
			str_append_char(out, *p++);
		while (p < end && ((unsigned char)*p & 0xc0) == 0x80);
}

static const char *remedy(const char *problem, const char *found)
{
	if (strcmp(problem, "found character that cannot start any token") == 0)
		return found[0] == '\t'
			       ? "a tab cannot indent in YAML; use spaces"
			       : "a value cannot begin with this character; put it in quotes";
	for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++)
		if (strcmp(problem, remedies[i].problem) == 0)
			return remedies[i].expected;
	return problem;
}

void yaml_diagnose_parser(struct diagnostics *diagnostics, const char *file,
			  const yaml_parser_t *parser, const char *text, size_t len)
{
	const yaml_mark_t *mark = &parser->problem_mark;
	const char *problem = parser->problem ? parser->problem : "not well-formed";
	struct place place = {
		.file = file,
		.line = (unsigned)mark->line + 1,
		.column = (unsigned)mark->column + 1,
	};
	struct str found;

	str_init(&found, 0);
	if (parser->error == YAML_READER_ERROR) {
		/* The reader knows an offset in bytes only. */
		place.line = 1;
		place.column = 1;
		for (size_t i = 0; i < parser->problem_offset && i < len; i++) {
			place.column++;
			if (text[i] == '\n') {
				place.line++;
				place.column = 1;
			}
		}
	} else {
		found_text(text, len, mark, &found);
	}
	char begun[64] = "";
	if (parser->context && parser->context_mark.line != mark->line)
		snprintf(begun, sizeof(begun), " (it began at line %zu)",
			 parser->context_mark.line + 1);
	if (found.len)
		diagnose_place(diagnostics, SEVERITY_ERROR, &place, "YAML: at '%s': %s%s",
			       found.data, remedy(problem, found.data), begun);
	else
		diagnose_place(diagnostics, SEVERITY_ERROR, &place, "YAML: %s%s",
			       remedy(problem, ""), begun);
	str_done(&found);
}

bool yaml_check_encoding(struct diagnostics *diagnostics, const char *file, const char *text,
			 size_t len)
{
	struct place place = { .file = file, .line = 1 };

	if (str_is_utf8(text, len))
		return true;
	if (len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0)) {
		place.column = 1;
		diagnose_place(diagnostics, SEVERITY_ERROR, &place,
			       "the file is UTF-16; expected UTF-8: save it with that encoding");
		return false;
	}
	for (const char *p = text, *end = text + len; p < end; place.line++) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t n = newline ? (size_t)(newline - p) : (size_t)(end - p), good = 0;

		if (str_is_utf8(p, n)) {
			p += n + 1;
			continue;
		}
		/* Character by character: the first that is not one is the place. */
		for (place.column = 1; good < n; place.column++) {
			size_t width = 1;
			while (width < 4 && good + width < n && !str_is_utf8(p + good, width))
				width++;
			if (!str_is_utf8(p + good, width))
				break;
			good += width;
		}
		unsigned char byte = (unsigned char)p[good];
		diagnose_place(diagnostics, SEVERITY_ERROR, &place,
			       byte ? "byte 0x%02x is not UTF-8; expected UTF-8 text"
				    : "byte 0x%02x (NUL) is not text; expected UTF-8 text",
			       byte);
		return false;
	}
	return false;
}

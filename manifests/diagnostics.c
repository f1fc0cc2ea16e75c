/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "manifests/diagnostics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 1024 }; /* of one message; what is quoted in it may be megabytes */

void diagnostics_init(struct diagnostics *diagnostics, struct arena *arena)
{
	*diagnostics = (struct diagnostics){ .arena = arena };
}

void diagnostics_done(struct diagnostics *diagnostics)
{
	vec_done(&diagnostics->list);
}

void diagnostics_clear(struct diagnostics *diagnostics)
{
	diagnostics->list.count = 0;
	diagnostics->errors = diagnostics->warnings = 0;
}

/* Texts quote manifests and file names: an escape sequence in them must not reach a terminal, a
 * line break not forge a second message. */
static void append_clean(struct str *out, const char *text)
{
	bool utf8 = str_is_utf8(text, strlen(text)); /* file names need not be */

	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (p[0] < 0x20 || p[0] == 0x7f || (p[0] >= 0x80 && !utf8))
			str_printf(out, "\\x%02x", p[0]);
		else if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			str_printf(out, "\\x%02x", *++p); /* C1 controls */
		else
			str_append_char(out, (char)*p);
	}
}

static char *clean(struct arena *arena, const char *text)
{
	struct str out;

	str_init(&out, 0);
	append_clean(&out, text);
	char *copy = arena_strdup(arena, out.data);
	str_done(&out);
	return copy;
}

static void cut(char *text, size_t size)
{
	static const char ellipsis[] = "…";
	size_t at = size - sizeof(ellipsis);

	while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
		at--;
	memcpy(text + at, ellipsis, sizeof(ellipsis));
}

static bool place_equal(const struct place *a, const struct place *b)
{
	return a->line == b->line && a->column == b->column && str_eq(a->file, b->file);
}

static bool is_known(const struct diagnostics *diagnostics, enum severity severity,
		     const struct place *place, const char *text)
{
	for (size_t i = 0; i < diagnostics->list.count; i++) {
		const struct diagnostic *d = &diagnostics->list.items[i];
		if (d->severity == severity && strcmp(d->text, text) == 0 &&
		    place_equal(&d->place, place))
			return true;
	}
	return false;
}

static struct place copy_place(struct arena *arena, const struct place *place)
{
	struct place copy = *place;

	if (place->file)
		copy.file = clean(arena, place->file);
	return copy;
}

static void record(struct diagnostics *diagnostics, enum severity severity, const struct place *at,
		   const struct place *via, const char *fmt, va_list ap)
	__attribute__((format(printf, 5, 0)));
static void record(struct diagnostics *diagnostics, enum severity severity, const struct place *at,
		   const struct place *via, const char *fmt, va_list ap)
{
	char raw[TEXT_MAX];

	if (vsnprintf(raw, sizeof(raw), fmt, ap) >= (int)sizeof(raw))
		cut(raw, sizeof(raw));
	const char *text = clean(diagnostics->arena, raw);
	struct place place = copy_place(diagnostics->arena, at);

	diagnostics->reported += severity == SEVERITY_ERROR;
	if (is_known(diagnostics, severity, &place, text))
		return;
	if (severity == SEVERITY_ERROR)
		diagnostics->errors++;
	else
		diagnostics->warnings++;
	if (diagnostics->list.count >= DIAGNOSTICS_MAX)
		return;
	struct diagnostic d = { .severity = severity, .place = place, .text = text };
	if (via) {
		struct place *copy = arena_new_of(diagnostics->arena, struct place);
		*copy = copy_place(diagnostics->arena, via);
		d.via = copy;
	}
	vec_push(&diagnostics->list, d);
}

void diagnose(struct diagnostics *diagnostics, enum severity severity, const struct node *at,
	      const char *fmt, ...)
{
	static const struct place nowhere;
	va_list ap;

	if (at && at->faulty) {
		diagnostics->reported++;
		return;
	}
	va_start(ap, fmt);
	record(diagnostics, severity, at ? node_origin(at) : &nowhere,
	       at && at->via ? &at->place : NULL, fmt, ap);
	va_end(ap);
}

void diagnose_place(struct diagnostics *diagnostics, enum severity severity,
		    const struct place *place, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	record(diagnostics, severity, place, NULL, fmt, ap);
	va_end(ap);
}

void diagnose_file(struct diagnostics *diagnostics, enum severity severity, const char *file,
		   const char *fmt, ...)
{
	struct place place = { .file = file };
	va_list ap;

	va_start(ap, fmt);
	record(diagnostics, severity, &place, NULL, fmt, ap);
	va_end(ap);
}

static int compare(const void *a, const void *b)
{
	const struct diagnostic *x = *(const struct diagnostic *const *)a;
	const struct diagnostic *y = *(const struct diagnostic *const *)b;
	int order = strcmp(x->place.file ? x->place.file : "", y->place.file ? y->place.file : "");

	if (order)
		return order;
	if (x->place.line != y->place.line)
		return x->place.line < y->place.line ? -1 : 1;
	if (x->place.column != y->place.column)
		return x->place.column < y->place.column ? -1 : 1;
	return strcmp(x->text, y->text);
}

/* Pointers into the list, in the order of places; free(3) it. */
static const struct diagnostic **sorted(const struct diagnostics *diagnostics)
{
	size_t n = diagnostics->list.count;
	const struct diagnostic **all = xcalloc(n + 1, sizeof(*all));

	for (size_t i = 0; i < n; i++)
		all[i] = &diagnostics->list.items[i];
	if (n)
		qsort(all, n, sizeof(*all), compare);
	return all;
}

static void print_place(const struct place *place, struct str *out)
{
	str_append(out, place->file);
	if (place->line)
		str_printf(out, ":%u:%u", place->line, place->column);
}

void diagnostics_print(const struct diagnostics *diagnostics, struct str *out)
{
	CLEANUP(cleanup_free) const struct diagnostic **all = sorted(diagnostics);
	size_t found = diagnostics->errors + diagnostics->warnings;

	for (size_t i = 0; i < diagnostics->list.count; i++) {
		const struct diagnostic *d = all[i];
		if (d->place.file) {
			print_place(&d->place, out);
			str_append(out, ": ");
		}
		str_printf(out, "%s: %s\n", d->severity == SEVERITY_ERROR ? "error" : "warning",
			   d->text);
		if (d->via && d->via->file) {
			str_append(out, "  used at ");
			print_place(d->via, out);
			str_append_char(out, '\n');
		}
	}
	if (found > diagnostics->list.count)
		str_printf(out, "... and %zu more\n", found - diagnostics->list.count);
	/* Warnings alone stand above what the command says anyway. */
	if (diagnostics->errors)
		str_printf(out, "%zu error%s, %zu warning%s\n", diagnostics->errors,
			   diagnostics->errors == 1 ? "" : "s", diagnostics->warnings,
			   diagnostics->warnings == 1 ? "" : "s");
}

static json_t *place_json(const struct place *place)
{
	return json_pack("{s:s?, s:i, s:i}", "file", place->file, "line", (int)place->line,
			 "column", (int)place->column);
}

json_t *diagnostics_json(const struct diagnostics *diagnostics)
{
	CLEANUP(cleanup_free) const struct diagnostic **all = sorted(diagnostics);
	json_t *list = json_array();

	for (size_t i = 0; i < diagnostics->list.count; i++) {
		const struct diagnostic *d = all[i];
		json_t *one = place_json(&d->place);
		json_object_set_new(
			one, "severity",
			json_string(d->severity == SEVERITY_ERROR ? "error" : "warning"));
		json_object_set_new(one, "message", json_string(d->text));
		if (d->via)
			json_object_set_new(one, "via", place_json(d->via));
		json_array_append_new(list, one);
	}
	return list;
}

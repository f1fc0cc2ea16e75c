/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/base/str.h"

#include "controller/base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { STR_FIRST = 64 };

void str_init(struct str *s, size_t ceiling)
{
	*s = (struct str){ .size = STR_FIRST, .ceiling = ceiling ? ceiling : STR_CEILING_DEFAULT };
	s->data = xmalloc(s->size);
	s->data[0] = '\0';
}

void str_done(struct str *s)
{
	free(s->data);
	*s = (struct str){ 0 };
}

void str_clear(struct str *s)
{
	s->len = 0;
	s->overflow = false;
	s->data[0] = '\0';
}

char *str_take(struct str *s)
{
	char *data = s->data;

	*s = (struct str){ 0 };
	return data;
}

static bool reserve(struct str *s, size_t more)
{
	if (s->overflow || more > s->ceiling || s->len > s->ceiling - more) {
		s->overflow = true;
		return false;
	}
	size_t need = s->len + more + 1;
	if (need > s->size) {
		while (s->size < need)
			s->size *= 2;
		s->data = xrealloc(s->data, s->size);
	}
	return true;
}

void str_append_n(struct str *s, const void *data, size_t len)
{
	if (!reserve(s, len))
		return;
	if (len)
		memcpy(s->data + s->len, data, len);
	s->len += len;
	s->data[s->len] = '\0';
}

void str_append(struct str *s, const char *text)
{
	str_append_n(s, text, strlen(text));
}

void str_append_char(struct str *s, char c)
{
	str_append_n(s, &c, 1);
}

void str_vprintf(struct str *s, const char *fmt, va_list ap)
{
	va_list again;

	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0 || !reserve(s, (size_t)n))
		return;
	vsnprintf(s->data + s->len, (size_t)n + 1, fmt, ap);
	s->len += (size_t)n;
}

void str_printf(struct str *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str_vprintf(s, fmt, ap);
	va_end(ap);
}

bool str_has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool str_eq(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

size_t str_distance(const char *a, const char *b)
{
	enum { LONGEST = 63 };
	size_t n = strnlen(a, LONGEST), m = strnlen(b, LONGEST);
	size_t row[LONGEST + 1];

	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t above = row[j];
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diagonal = above;
		}
	}
	return row[m];
}

const char *str_nearest(const char *word, const char *const *candidates, size_t count)
{
	/* A third of the letters may be wrong: more, and the guess is noise. */
	size_t best = strlen(word) / 3 + 1;
	const char *found = NULL;

	for (size_t i = 0; i < count; i++) {
		if (strcasecmp(word, candidates[i]) == 0)
			return candidates[i];
		size_t distance = str_distance(word, candidates[i]);
		if (distance < best || (distance == best && !found)) {
			best = distance;
			found = candidates[i];
		}
	}
	return found;
}

bool str_is_utf8(const char *data, size_t len)
{
	const unsigned char *p = (const unsigned char *)data, *end = p + len;

	while (p < end) {
		unsigned char c = *p++;
		uint32_t code;
		int more;

		if (c == 0)
			return false;
		if (c < 0x80)
			continue;
		if (c >= 0xc2 && c <= 0xdf)
			more = 1, code = c & 0x1fU;
		else if (c >= 0xe0 && c <= 0xef)
			more = 2, code = c & 0x0fU;
		else if (c >= 0xf0 && c <= 0xf4)
			more = 3, code = c & 0x07U;
		else
			return false;
		if (end - p < more)
			return false;
		for (int i = 0; i < more; i++, p++) {
			if ((*p & 0xc0) != 0x80)
				return false;
			code = code << 6 | (*p & 0x3fU);
		}
		if ((more == 2 && code < 0x800) || (more == 3 && code < 0x10000) ||
		    code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
			return false;
	}
	return true;
}

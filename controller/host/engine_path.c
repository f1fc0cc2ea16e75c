/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/host/engine.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"

/* RFC 3986 section 2.3. */
static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

static void append_escaped(struct str *path, const char *text)
{
	for (; *text; text++) {
		if (is_unreserved(*text))
			str_append_char(path, *text);
		else
			str_printf(path, "%%%02X", (unsigned char)*text);
	}
}

char *engine_path(const char *fmt, ...)
{
	struct str path;
	va_list ap;

	str_init(&path, 0);
	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			str_append_char(&path, *fmt);
			continue;
		}
		fmt++;
		assert(*fmt == 's' || *fmt == 'd');
		if (*fmt == 's')
			append_escaped(&path, va_arg(ap, const char *));
		else
			str_printf(&path, "%d", va_arg(ap, int));
	}
	va_end(ap);
	return str_take(&path);
}

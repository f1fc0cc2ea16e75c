/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char ellipsis[] = "…";

/* vsnprintf that marks a cut, and cuts no UTF-8 sequence in two. */
static void put(char *buf, size_t size, const char *fmt, va_list ap)
{
	int n = vsnprintf(buf, size, fmt, ap);

	if (n < 0 || (size_t)n < size)
		return;
	size_t at = size - sizeof(ellipsis);
	while (at > 0 && ((unsigned char)buf[at] & 0xc0) == 0x80)
		at--;
	memcpy(buf + at, ellipsis, sizeof(ellipsis));
}

static void putf(char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void putf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put(buf, size, fmt, ap);
	va_end(ap);
}

int error_set(struct error *err, enum error_code code, const char *fmt, ...)
{
	/* The arguments may point into err->text itself. */
	char text[sizeof(err->text)];
	va_list ap;

	assert(code != ERROR_NONE);
	va_start(ap, fmt);
	put(text, sizeof(text), fmt, ap);
	va_end(ap);
	err->code = code;
	memcpy(err->text, text, sizeof(text));
	return -1;
}

static enum error_code code_of_errno(int errnum)
{
	switch (errnum) {
	case ENOENT:
	case ENOTDIR:
		return ERROR_NOT_FOUND;
	case EACCES:
	case EPERM:
		return ERROR_DENIED;
	case ETIMEDOUT:
		return ERROR_TIMEOUT;
	case ECONNREFUSED:
	case ECONNRESET:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EPIPE:
		return ERROR_UNREACHABLE;
	default:
		return ERROR_SYSTEM;
	}
}

int error_errno(struct error *err, int errnum, const char *fmt, ...)
{
	char text[sizeof(err->text)];
	va_list ap;

	va_start(ap, fmt);
	put(text, sizeof(text), fmt, ap);
	va_end(ap);
	return error_set(err, code_of_errno(errnum), "%s: %s", text, strerror(errnum));
}

int error_wrap(struct error *err, const char *fmt, ...)
{
	char context[512];
	char inner[sizeof(err->text)];
	va_list ap;

	/* A wrapped success would report a failure that nobody can explain. */
	assert(err->code != ERROR_NONE);
	va_start(ap, fmt);
	put(context, sizeof(context), fmt, ap);
	va_end(ap);
	memcpy(inner, err->text, sizeof(inner));
	putf(err->text, sizeof(err->text), "%s: %s", context, inner);
	return -1;
}

int error_hint(struct error *err, const char *fmt, ...)
{
	char hint[512];
	char inner[sizeof(err->text)];
	va_list ap;

	assert(err->code != ERROR_NONE);
	va_start(ap, fmt);
	put(hint, sizeof(hint), fmt, ap);
	va_end(ap);
	memcpy(inner, err->text, sizeof(inner));
	putf(err->text, sizeof(err->text), "%s; %s", inner, hint);
	return -1;
}

void error_clear(struct error *err)
{
	*err = ERROR_INIT;
}

const char *error_code_name(enum error_code code)
{
	static const char *const names[] = {
		[ERROR_NONE] = "none",
		[ERROR_INVALID] = "invalid",
		[ERROR_NOT_FOUND] = "not_found",
		[ERROR_CONFLICT] = "conflict",
		[ERROR_DENIED] = "denied",
		[ERROR_TIMEOUT] = "timeout",
		[ERROR_UNREACHABLE] = "unreachable",
		[ERROR_UNSUPPORTED] = "unsupported",
		[ERROR_REFUSED] = "refused",
		[ERROR_REMOTE] = "remote",
		[ERROR_SYSTEM] = "system",
		[ERROR_CANCELLED] = "cancelled",
	};

	return names[code];
}

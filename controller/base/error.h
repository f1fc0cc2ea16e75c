/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Errors: what went wrong, for the person who reads it, and a code for the program that decides.
 *
 * A function that can fail returns 0 or -1 and takes a `struct error *err` last, never NULL.
 * The text grows outwards: error_wrap() puts the caller's context before what is there, so that
 * it reads "h1: create container web: pull web:1.2: registry answered 401". Decisions look at
 * the code, never at the text. Only the outermost caller prints.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>

enum error_code {
	ERROR_NONE,
	ERROR_INVALID,	   /* the input is wrong: manifests, options, names */
	ERROR_NOT_FOUND,   /* it is not there */
	ERROR_CONFLICT,	   /* something else stands in the way */
	ERROR_DENIED,	   /* not allowed: login, permission, registry credentials */
	ERROR_TIMEOUT,	   /* it did not answer in time */
	ERROR_UNREACHABLE, /* the other side can't be reached, or the connection broke */
	ERROR_UNSUPPORTED, /* the engine, or its version, can't do this */
	ERROR_REFUSED,	   /* drey refuses: data would be lost, the object is foreign */
	ERROR_REMOTE,	   /* the engine or registry reported a failure, or talks nonsense */
	ERROR_SYSTEM,	   /* a system call failed here */
	ERROR_CANCELLED,   /* interrupted by a signal or the caller */
};

struct error {
	enum error_code code;
	char text[2048]; /* cut with "…" when longer */
};

#define ERROR_INIT ((struct error){ .code = ERROR_NONE })

/* Replaces whatever *err holds. Always -1, so that `return error_set(…)` reads well. */
int error_set(struct error *err, enum error_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As error_set with ERROR_SYSTEM and ": strerror(errnum)" appended; ENOENT, EACCES/EPERM and
 * ETIMEDOUT/ECONNREFUSED and their like get the code that says so. Always -1. */
int error_errno(struct error *err, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "fmt: " before the text, keeps the code. Asserts that there is an error. Always -1. */
int error_wrap(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Appends a sentence that says what to do next: "text; fmt". Always -1. */
int error_hint(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void error_clear(struct error *err);

/* Stable lower-case name of a code ("not_found"), as JSON output and conditions show it. */
const char *error_code_name(enum error_code code);

#define MUST_CHECK __attribute__((warn_unused_result))

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of a running drey: one line per message on stderr, with `key=value` fields. With
 * journald on the other end of stderr ($JOURNAL_STREAM) lines carry <N> priority prefixes
 * (sd-daemon(3)) and no time stamp; else an RFC 3339 stamp in UTC.
 *
 * Library folders log at debug only. The logger is a value that main() makes and hands down: a
 * NULL logger is silent. It is safe for several threads.
 */
#pragma once

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct logger {
	enum log_level level; /* messages above it are dropped */
	int fd;		      /* where lines go; stderr */
	bool journal;	      /* <N> prefixes instead of time stamps */
};

/* Sets *log up for stderr, asking the environment for journald. */
void log_init(struct logger *log, enum log_level level);

/* The message is one line: control characters in it are written as \xNN, so that what a host
 * answers can't forge lines. Convention: "sentence host=h1 kind=Container name=web". */
void log_write(const struct logger *log, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(log, ...) log_write((log), LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(log, ...) log_write((log), LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(log, ...) log_write((log), LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(log, ...) log_write((log), LOG_LEVEL_DEBUG, __VA_ARGS__)

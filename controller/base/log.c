/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/base/log.h"

#include "controller/base/mem.h"
#include "controller/base/str.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void log_init(struct logger *log, enum log_level level)
{
	*log = (struct logger){
		.level = level,
		.fd = STDERR_FILENO,
		.journal = getenv("JOURNAL_STREAM") != NULL,
	};
}

static void put_prefix(struct str *line, const struct logger *log, enum log_level level)
{
	/* Priorities of syslog(3): err, warning, info, debug. */
	static const char *const priorities[] = { "<3>", "<4>", "<6>", "<7>" };
	static const char *const names[] = { "error", "warning", "info", "debug" };
	struct timespec now;
	struct tm tm;
	char stamp[32];

	if (log->journal) {
		str_append(line, priorities[level]);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	str_printf(line, "%s.%03ldZ %s ", stamp, now.tv_nsec / 1000000, names[level]);
}

void log_write(const struct logger *log, enum log_level level, const char *fmt, ...)
{
	struct str line;
	va_list ap;

	if (!log || level > log->level)
		return;
	va_start(ap, fmt);
	CLEANUP(cleanup_free) char *text = xvasprintf(fmt, ap);
	va_end(ap);
	str_init(&line, 0);
	put_prefix(&line, log, level);
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			str_printf(&line, "\\x%02x", (unsigned char)*p);
		else
			str_append_char(&line, *p);
	}
	str_append_char(&line, '\n');
	/* One write(2) a line: lines of several threads do not mix, and a log that can't be
	 * written has nowhere to be reported. */
	ssize_t ignored = write(log->fd, line.data, line.len);
	(void)ignored;
	str_done(&line);
}

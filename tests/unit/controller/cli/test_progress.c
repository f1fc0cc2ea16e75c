/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/cli/progress.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <pthread.h>
#include <pty.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void step(struct progress_view *view, const char *host, const char *text)
{
	struct progress progress = {
		.kind = PROGRESS_STEP, .host = host, .resource = "Container/web", .text = text
	};

	progress_update(view, &progress);
}

static void layer(struct progress_view *view, const char *item, int64_t current, int64_t total)
{
	struct progress progress = { .kind = PROGRESS_PULL,
				     .host = "h1",
				     .resource = "Container/web",
				     .text = "web:1.2",
				     .item = item,
				     .current = current,
				     .total = total };

	progress_update(view, &progress);
}

Test(progress, plain_lines_where_there_is_no_terminal, .init = cr_redirect_stderr)
{
	struct context context = { 0 };
	struct progress_view *view = progress_new(&context);

	step(view, "h1", "pull web:1.2");
	layer(view, "a", 1, 10);
	layer(view, "a", 5, 10);
	layer(view, "b", 1, 10);
	step(view, "h1", "create");
	step(view, "h2", "create");
	step(view, "h1", "wait\033[2J");
	progress_free(view);
	cr_expect_stderr_eq_str("h1: Container/web: pull web:1.2\n"
				"h1: Container/web: create\n"
				"h2: Container/web: create\n"
				"h1: Container/web: wait?[2J\n");
}

Test(progress, quiet_is_quiet, .init = cr_redirect_stderr)
{
	struct context context = { .options.quiet = true };
	struct progress_view *view = progress_new(&context);

	step(view, "h1", "create");
	progress_free(view);
	fflush(stderr);
	cr_expect_stderr_eq_str("");
}

Test(progress, bytes_in_the_unit_of_the_whole)
{
	static const struct {
		int64_t current, total;
		const char *text;
	} rows[] = {
		{ 0, 0, "0 B" },
		{ 999, 0, "999 B" },
		{ 12400000, 40100000, "12.4/40.1 MB" },
		{ 500, 40100000, "0.0/40.1 MB" },
		{ 1500000000, 0, "1.5 GB" },
		{ 5, 12, "5/12 B" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct str out;

		str_init(&out, 0);
		progress_bytes(rows[i].current, rows[i].total, &out);
		cr_expect_str_eq(out.data, rows[i].text);
		str_done(&out);
	}
}

struct reader {
	int fd;
	struct str text;
};

/* Until the other side has been closed, which a pty reports as EIO. */
static void *read_all(void *ctx)
{
	struct reader *reader = ctx;
	char buffer[4096];
	ssize_t n;

	while ((n = read(reader->fd, buffer, sizeof(buffer))) > 0)
		str_append_n(&reader->text, buffer, (size_t)n);
	return NULL;
}

/* What reaches a terminal of 60 columns and 24 lines. free(3) it. */
static char *on_terminal(void (*draw)(struct progress_view *view))
{
	struct winsize size = { .ws_col = 60, .ws_row = 24 };
	struct context context = { 0 };
	int slave, saved = dup(STDERR_FILENO);
	struct reader reader;
	pthread_t thread;

	cr_assert_eq(openpty(&reader.fd, &slave, NULL, NULL, &size), 0);
	str_init(&reader.text, 0);
	cr_assert_eq(pthread_create(&thread, NULL, read_all, &reader), 0);
	setenv("TERM", "xterm", 1);
	fflush(stderr);
	dup2(slave, STDERR_FILENO);
	close(slave);
	struct progress_view *view = progress_new(&context);
	draw(view);
	progress_free(view);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	pthread_join(thread, NULL);
	close(reader.fd);
	return str_take(&reader.text);
}

static void draw_pull(struct progress_view *view)
{
	layer(view, "a", 10000000, 10000000);
	layer(view, "b", 2400000, 30100000);
	/* Unpacking begins at nothing again. */
	layer(view, "a", 0, 10000000);
	step(view, "h2", "a step whose line is far longer than this terminal is wide");
}

Test(progress, layers_add_up_in_a_line_that_is_redrawn)
{
	CLEANUP(cleanup_free) char *text = on_terminal(draw_pull);
	const char *first = strstr(text, "h1  Container/web  pull web:1.2  1/1 layers");

	cr_assert_not_null(first, "%s", text);
	const char *up = strstr(first, "\033[1A\r");
	cr_assert_not_null(up, "the line is drawn over: %s", text);
	cr_expect_not_null(strstr(up, "1/2 layers  12.4/40.1 MB\033[K"), "%s", text);
	const char *cut = "h2  Container/web  a step whose line is far longer than thi\033[K";
	cr_expect_not_null(strstr(up, cut), "cut to 59 columns: %s", text);
	cr_expect(str_has_suffix(text, "\033[2A\r\033[J"), "wiped away in the end: %s", text);
}

static void draw_burst(struct progress_view *view)
{
	for (int i = 0; i < 10000; i++)
		layer(view, "a", i, 10000);
}

Test(progress, a_burst_is_not_drawn_each_time)
{
	CLEANUP(cleanup_free) char *text = on_terminal(draw_burst);
	size_t drawn = 0;

	for (const char *p = text; (p = strstr(p, "pull")); p++)
		drawn++;
	/* The first, and one for each tenth of a second that this took. */
	cr_expect_lt(drawn, 100, "%zu", drawn);
	cr_expect_geq(drawn, 1);
}

static void draw_many(struct progress_view *view)
{
	for (int i = 0; i < 100; i++) {
		char host[16];
		snprintf(host, sizeof(host), "h%d", i);
		step(view, host, "create");
	}
	usleep(30 * 1000);
	step(view, "h99", "start");
}

Test(progress, more_hosts_than_lines)
{
	CLEANUP(cleanup_free) char *text = on_terminal(draw_many);

	cr_expect_not_null(strstr(text, "… and 79 more hosts"), "%s", text);
}

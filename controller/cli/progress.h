/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is going on while a command works, on stderr: on a terminal a line per busy host, redrawn
 * in place; elsewhere a line per step. Results of single actions go to stdout, above the lines.
 *
 *     h1  Container/web  pull web:1.2  3/5 layers  12.4/40.1 MB
 *
 * Called from one thread.
 */
#pragma once

#include "controller/cli/command.h"
#include "controller/plan/execute.h"

struct progress_view;

/* The context stays the caller's. With --quiet steps are not shown, with -o json results are not.
 */
struct progress_view *progress_new(const struct context *context);
void progress_free(struct progress_view *view); /* wipes the lines away; NULL is allowed */

/* A step, a layer, some bytes. The strings are copied. */
void progress_update(struct progress_view *view, const struct progress *progress);
/* An action has ended: its line. What was kept has none. */
void progress_result(struct progress_view *view, const char *host, const struct result *result);
/* The host has nothing more to do: its line goes. */
void progress_host_done(struct progress_view *view, const char *host);
/* Takes the lines away before something else is printed; the next update brings them back. */
void progress_clear(struct progress_view *view);

/* "12.4/40.1 MB", "12.4 MB" where total is 0. */
struct str;
void progress_bytes(int64_t current, int64_t total, struct str *out);

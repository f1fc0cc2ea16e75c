/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The signals that ask a command to end, and blocking calls that shall heed them. */
#pragma once

#include <signal.h>
#include <stdbool.h>

/* SIGINT, SIGTERM and SIGHUP, the latter not where it is ignored: a blocked signal is queued
 * nevertheless (signal(7)), and nohup(1) would have no effect. */
void interrupt_signals(sigset_t *ret_set);

/*
 * Runs task(ctx) on a thread of its own and waits for it. Each of these signals that comes
 * meanwhile leads to a call of interrupt(ctx) on the calling thread, which makes the task return
 * soon. True when there was one. Threads that the process has already must have them blocked.
 */
bool interrupt_run(void (*task)(void *ctx), void (*interrupt)(void *ctx), void *ctx);

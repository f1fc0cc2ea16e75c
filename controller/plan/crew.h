/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Some threads that carry out actions of one plan at a time, each with a pass of its own: its own
 * handle on the engine, its own arena. What they observe and what is desired they share, and only
 * read. Hooks of the pass run in one thread at a time.
 *
 * Handing over, waiting and ending are for the thread that owns the pass.
 */
#pragma once

#include "controller/plan/execute.h"

struct crew;

/* Threads start as they are needed, `size` at most. `run` carries one action out. */
struct crew *crew_new(struct pass *pass, size_t size,
		      void (*run)(struct pass *pass, const struct action *action,
				  struct result *result));
/* Somebody takes it; waits while all are at work. The result is theirs until it is returned.
 * False: the system gives no thread at all. */
bool crew_hand_over(struct crew *crew, struct result *result);
/* Waits until one has ended and returns it; NULL: none is under way or waits to be returned. */
struct result *crew_wait(struct crew *crew);
/* Waits for all and ends the threads. */
void crew_free(struct crew *crew);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which containers of a host were stopped, died or were renamed a moment ago. What looks out of
 * step then often is not for long: the engine restarts it by its own policy, or a person is in
 * the middle of something. Such a container is looked at at once and put right SETTLE_MS later
 * if it still needs to be.
 *
 * Safe for several threads: the event stream notes, visits ask.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "reconcilers/reconciler.h"

enum {
	SETTLE_MS = 1000,
	SETTLE_MAX_MS = 10 * 1000, /* for what never rests */
};

struct settle;

struct settle *settle_new(void);
void settle_free(struct settle *settle);

/* An event of a container: its ID, its name on the engine, the name in drey's label. Each may
 * be NULL. */
void settle_note(struct settle *settle, int64_t now_ms, const char *id, const char *engine_name,
		 const char *label_name);
/* How long until what the action would change has settled; 0: it has. */
int64_t settle_left(struct settle *settle, int64_t now_ms, const struct action *action);
/* The same for everything on the host. */
int64_t settle_left_any(struct settle *settle, int64_t now_ms);

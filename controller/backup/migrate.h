/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Volume whose options changed, and whose manifest says what shall become of its files
 * (`on_change`): a new generation, filled from the old one through the engine's own tar streams,
 * every entry compared; nothing of it passes over a disk on the way.
 *
 *   users stop -> (backup) -> files are copied and compared -> the generation is marked ->
 *   users are made anew on it, by the plan's own actions -> volume_settle()
 *
 * Killed at any point: before the mark the old generation serves on, and the next run begins the
 * copy anew; after it the next run makes the users anew.
 */
#pragma once

#include "reconcilers/reconciler.h"

/* struct pass_hooks.migrate. */
MUST_CHECK int volume_migrate(void *ctx, struct pass *pass, const struct action *action,
			      struct error *err);
/* struct pass_hooks.settle: users that nothing has made anew serve on, on the old generation, and a
 * new one that nobody uses by then goes again. Helpers that were left go too. */
void volume_settle(void *ctx, struct pass *pass);

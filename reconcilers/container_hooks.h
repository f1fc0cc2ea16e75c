/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that are run in a container after drey has started it and before drey stops it. No
 * engine knows of them: they are those of the manifest of the day, whatever it said when the
 * container was made, and starts and stops by others go without them.
 *
 * `action` is whose steps they are told as, or NULL; `want` is the container's manifest, or NULL:
 * nothing is run.
 */
#pragma once

#include "reconcilers/reconciler.h"

extern const struct schema container_hook_schema;

/* Rules across the fields. */
void container_hooks_verify(const struct resource *resource, struct diagnostics *diagnostics);

/*
 * One after the other, until one fails: it ends with another status than 0, takes longer than ten
 * minutes, can't be run, or the container ends before it. The error says which, and what it said
 * last. *ret_found_wanting: it was the hook that failed, not the asking.
 */
MUST_CHECK int container_post_start(struct pass *pass, const struct action *action,
				    const struct resource *want, const char *id,
				    bool *ret_found_wanting, struct error *err);
/*
 * The same; one that is paused is set going for them, and paused again where they fail. What does
 * not run gets none, and one that ends meanwhile is what they were for.
 */
MUST_CHECK int container_pre_stop(struct pass *pass, const struct action *action,
				  const struct resource *want, const char *id, struct error *err);

/* pre_stop, then call_stop(). */
MUST_CHECK int container_stop(struct pass *pass, const struct action *action,
			      const struct resource *want, const char *id, struct error *err);
/* container_start(), then post_start. Where those fail it is stopped again, so that the next run
 * starts it, and runs them, once more. */
MUST_CHECK int container_bring_up(struct pass *pass, const struct action *action,
				  const struct resource *want, const char *id, struct error *err);
/* call_start() of one that served before, and post_start unless it runs: their failure goes to
 * *ret_hooks and costs nothing else. */
MUST_CHECK int container_bring_back(struct pass *pass, const struct action *action,
				    const struct resource *want, const char *id,
				    struct error *ret_hooks, struct error *err);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that do jobs, first come first served: made when there is work, at most so many, and
 * ended again when there has been none for a while, so that an idle controller has none. */
#pragma once

#include "controller/base/error.h"

enum { POOL_STACK = 512 * 1024, POOL_IDLE_MS = 3000 };

struct pool;

struct pool *pool_new(int max_threads, void (*run)(void *job));
/* ERROR_SYSTEM when there is no thread at all to do it and none can be made. */
MUST_CHECK int pool_submit(struct pool *pool, void *job, struct error *err);
/* Does what was submitted, then joins every thread. NULL is allowed. */
void pool_free(struct pool *pool);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting longer after each failure, and never in step with others: twice as long each time up
 * to a ceiling, of which a random half is taken off, so that hosts that failed together do not
 * come back together.
 */
#pragma once

#include <stdint.h>

struct backoff {
	int64_t base_ms, max_ms;
	unsigned failures; /* running */
	uint64_t random;   /* state of the generator, never 0 */
};

/* seed: 0 takes one from getrandom(2); tests give their own. */
void backoff_init(struct backoff *backoff, int64_t base_ms, int64_t max_ms, uint64_t seed);
/* Counts a failure and says how long to wait: between half of and the whole of
 * base * 2^(failures - 1), at most max. */
int64_t backoff_fail(struct backoff *backoff);
void backoff_reset(struct backoff *backoff);
/* A value between span - span/10 and span + span/10, for what recurs. */
int64_t backoff_jitter(struct backoff *backoff, int64_t span_ms);
/* A value from 0 to below span_ms, for what shall be spread out; 0 for an empty span. */
int64_t backoff_spread(struct backoff *backoff, int64_t span_ms);

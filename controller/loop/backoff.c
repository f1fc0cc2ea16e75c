/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/loop/backoff.h"

#include <sys/random.h>

void backoff_init(struct backoff *backoff, int64_t base_ms, int64_t max_ms, uint64_t seed)
{
	*backoff = (struct backoff){ .base_ms = base_ms, .max_ms = max_ms, .random = seed };
	/* Nothing secret depends on it: an unseeded generator only loses the spread. */
	if (!seed && getrandom(&backoff->random, sizeof(backoff->random), GRND_NONBLOCK) < 0)
		backoff->random = 0;
	if (!backoff->random)
		backoff->random = 0x9e3779b97f4a7c15u;
}

/* xorshift64 (Marsaglia, Journal of Statistical Software 8 (14), 2003). */
static uint64_t next_random(struct backoff *backoff)
{
	uint64_t x = backoff->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return backoff->random = x;
}

int64_t backoff_spread(struct backoff *backoff, int64_t span_ms)
{
	return span_ms > 0 ? (int64_t)(next_random(backoff) % (uint64_t)span_ms) : 0;
}

int64_t backoff_fail(struct backoff *backoff)
{
	int64_t wait_ms = backoff->base_ms;

	for (unsigned i = 0; i < backoff->failures && wait_ms < backoff->max_ms; i++)
		wait_ms *= 2;
	if (wait_ms > backoff->max_ms)
		wait_ms = backoff->max_ms;
	backoff->failures++;
	return wait_ms - backoff_spread(backoff, wait_ms / 2 + 1);
}

void backoff_reset(struct backoff *backoff)
{
	backoff->failures = 0;
}

int64_t backoff_jitter(struct backoff *backoff, int64_t span_ms)
{
	return span_ms - span_ms / 10 + backoff_spread(backoff, span_ms / 5 + 1);
}

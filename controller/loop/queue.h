/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is to be looked at, and when: one entry a host. Asking twice is asking once; what is
 * asked while the host is being looked at is done right afterwards. An entry always comes due
 * again, at the latest at the time that queue_done() named.
 *
 * Fair: what has been due longest is taken first, so that a host that never rests waits behind
 * those that do. And those that are likely to take long are never taken all at once: the rest is
 * not to wait for hosts that do not answer. Clock and chance come from the caller; not for use by
 * two threads at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue;

/* Back-off after failures, from base to max; seed as in backoff_init(). */
struct queue *queue_new(int64_t backoff_base_ms, int64_t backoff_max_ms, uint64_t seed);
void queue_free(struct queue *queue);

/* At most so many slow entries are taken at a time; any number unless this is called. */
void queue_limit_slow(struct queue *queue, size_t max_slow);
/* Whether an entry that is there is slow; a new one is not. */
void queue_set_slow(struct queue *queue, const char *key, bool slow);

/* Asks for a look at due_ms or sooner. Not before a back-off or a gap has run out. */
void queue_add(struct queue *queue, const char *key, int64_t due_ms);
/* As queue_add, and forgets earlier failures: something has changed that may mend them. */
void queue_hurry(struct queue *queue, const char *key, int64_t due_ms);
/* Takes the entry away; one that is taken vanishes when it is done. */
void queue_remove(struct queue *queue, const char *key);

/* The entry that has been due longest, which is then taken; NULL when none may be. Borrowed
 * until queue_done(). */
const char *queue_take(struct queue *queue, int64_t now_ms);
/*
 * What was taken is done. After success it is due again at next_ms, or sooner where that was
 * asked for meanwhile, though not before gap_ms from now. After a failure the back-off says
 * when: returns the wait in milliseconds, else 0.
 */
int64_t queue_done(struct queue *queue, const char *key, bool success, int64_t now_ms,
		   int64_t next_ms, int64_t gap_ms);

/* Milliseconds until something may be taken; 0: now, -1: nothing waits but for another's end. */
int64_t queue_wait(const struct queue *queue, int64_t now_ms);
/* Entries, and how many of them are taken. */
size_t queue_count(const struct queue *queue, size_t *ret_taken);

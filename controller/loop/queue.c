/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/loop/queue.h"

#include "controller/base/str.h"
#include "controller/base/vec.h"
#include "controller/loop/backoff.h"

struct item {
	char *key;
	int64_t due_ms;
	int64_t not_before_ms; /* until then nobody brings it forward */
	uint64_t order;	       /* of asking: decides between equal times */
	struct backoff backoff;
	bool taken, removed;
	bool slow, taken_slow; /* taken_slow: it counts as such until it is done */
	bool asked;	       /* while taken: due_ms says when */
	bool hurried;	       /* while taken: what failed then was tried with what held before */
};

/* An array, searched from end to end: a fleet has at most some thousand hosts, and a look at
 * one costs more than a thousand comparisons. */
struct queue {
	VEC(struct item *) items;
	int64_t base_ms, max_ms;
	uint64_t seed, order;
	size_t max_slow, taken_slow;
};

struct queue *queue_new(int64_t backoff_base_ms, int64_t backoff_max_ms, uint64_t seed)
{
	struct queue *queue = xcalloc(1, sizeof(*queue));

	queue->base_ms = backoff_base_ms;
	queue->max_ms = backoff_max_ms;
	queue->seed = seed;
	queue->max_slow = SIZE_MAX;
	return queue;
}

static void item_free(struct item *item)
{
	free(item->key);
	free(item);
}

void queue_free(struct queue *queue)
{
	if (!queue)
		return;
	for (size_t i = 0; i < queue->items.count; i++)
		item_free(queue->items.items[i]);
	vec_done(&queue->items);
	free(queue);
}

static struct item *find(const struct queue *queue, const char *key)
{
	for (size_t i = 0; i < queue->items.count; i++)
		if (str_eq(queue->items.items[i]->key, key))
			return queue->items.items[i];
	return NULL;
}

static void drop(struct queue *queue, struct item *item)
{
	for (size_t i = 0; i < queue->items.count; i++) {
		if (queue->items.items[i] == item) {
			queue->items.items[i] = queue->items.items[--queue->items.count];
			break;
		}
	}
	item_free(item);
}

static struct item *find_or_make(struct queue *queue, const char *key)
{
	struct item *item = find(queue, key);

	if (!item) {
		item = xcalloc(1, sizeof(*item));
		item->key = xstrdup(key);
		item->due_ms = INT64_MAX;
		backoff_init(&item->backoff, queue->base_ms, queue->max_ms,
			     queue->seed ? queue->seed + queue->items.count : 0);
		vec_push(&queue->items, item);
	}
	item->removed = false;
	return item;
}

static void ask(struct queue *queue, struct item *item, int64_t due_ms)
{
	if (due_ms < item->not_before_ms)
		due_ms = item->not_before_ms;
	if (item->taken) {
		if (!item->asked || due_ms < item->due_ms)
			item->due_ms = due_ms;
		item->asked = true;
	} else if (due_ms < item->due_ms) {
		item->due_ms = due_ms;
		item->order = ++queue->order;
	}
}

void queue_add(struct queue *queue, const char *key, int64_t due_ms)
{
	ask(queue, find_or_make(queue, key), due_ms);
}

void queue_hurry(struct queue *queue, const char *key, int64_t due_ms)
{
	struct item *item = find_or_make(queue, key);

	backoff_reset(&item->backoff);
	item->not_before_ms = 0;
	item->hurried = item->taken;
	ask(queue, item, due_ms);
}

void queue_remove(struct queue *queue, const char *key)
{
	struct item *item = find(queue, key);

	if (!item)
		return;
	if (item->taken)
		item->removed = true;
	else
		drop(queue, item);
}

void queue_limit_slow(struct queue *queue, size_t max_slow)
{
	queue->max_slow = max_slow;
}

void queue_set_slow(struct queue *queue, const char *key, bool slow)
{
	struct item *item = find(queue, key);

	if (item)
		item->slow = slow;
}

static bool may_take(const struct queue *queue, const struct item *item)
{
	return !item->taken && (!item->slow || queue->taken_slow < queue->max_slow);
}

const char *queue_take(struct queue *queue, int64_t now_ms)
{
	struct item *best = NULL;

	for (size_t i = 0; i < queue->items.count; i++) {
		struct item *item = queue->items.items[i];

		if (!may_take(queue, item) || item->due_ms > now_ms)
			continue;
		if (!best || item->due_ms < best->due_ms ||
		    (item->due_ms == best->due_ms && item->order < best->order))
			best = item;
	}
	if (!best)
		return NULL;
	best->taken = true;
	best->taken_slow = best->slow;
	queue->taken_slow += best->slow;
	best->asked = best->hurried = false;
	best->not_before_ms = 0;
	best->due_ms = INT64_MAX;
	return best->key;
}

int64_t queue_done(struct queue *queue, const char *key, bool success, int64_t now_ms,
		   int64_t next_ms, int64_t gap_ms)
{
	struct item *item = find(queue, key);
	int64_t wait_ms = 0;

	if (!item || !item->taken)
		return 0;
	queue->taken_slow -= item->taken_slow;
	item->taken_slow = false;
	if (item->removed) {
		drop(queue, item);
		return 0;
	}
	item->taken = false;
	item->order = ++queue->order;
	if (success || item->hurried) {
		backoff_reset(&item->backoff);
		item->not_before_ms = now_ms + gap_ms;
		if (!item->asked || item->due_ms > next_ms)
			item->due_ms = next_ms;
		if (item->due_ms < item->not_before_ms)
			item->due_ms = item->not_before_ms;
	} else {
		wait_ms = backoff_fail(&item->backoff);
		item->not_before_ms = item->due_ms = now_ms + wait_ms;
	}
	item->asked = item->hurried = false;
	return wait_ms;
}

int64_t queue_wait(const struct queue *queue, int64_t now_ms)
{
	int64_t wait_ms = -1;

	for (size_t i = 0; i < queue->items.count; i++) {
		const struct item *item = queue->items.items[i];
		int64_t left_ms = item->due_ms > now_ms ? item->due_ms - now_ms : 0;

		if (!may_take(queue, item) || item->due_ms == INT64_MAX)
			continue;
		if (wait_ms < 0 || left_ms < wait_ms)
			wait_ms = left_ms;
	}
	return wait_ms;
}

size_t queue_count(const struct queue *queue, size_t *ret_taken)
{
	*ret_taken = 0;
	for (size_t i = 0; i < queue->items.count; i++)
		*ret_taken += queue->items.items[i]->taken;
	return queue->items.count;
}

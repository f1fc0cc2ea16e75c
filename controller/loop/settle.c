/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/loop/settle.h"

#include <pthread.h>
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/loop/hash.h"

enum { SETTLE_SLOTS = 128 };

/* Names as hashes: what two names that collide cost is a second of patience. */
struct unrest {
	uint64_t id, engine_name, label_name; /* 0: not known */
	int64_t first_ms, last_ms;	      /* events less than SETTLE_MS apart */
};

struct settle {
	pthread_mutex_t lock;
	struct unrest slots[SETTLE_SLOTS]; /* a ring */
	size_t next;
	struct unrest any;  /* of the host */
	struct unrest lost; /* the youngest that the ring has lost: counts for everything */
};

static const struct unrest never = { .first_ms = INT64_MIN / 2, .last_ms = INT64_MIN / 2 };

struct settle *settle_new(void)
{
	struct settle *settle = xcalloc(1, sizeof(*settle));

	pthread_mutex_init(&settle->lock, NULL);
	settle->any = settle->lost = never;
	for (size_t i = 0; i < SETTLE_SLOTS; i++)
		settle->slots[i] = never;
	return settle;
}

void settle_free(struct settle *settle)
{
	if (!settle)
		return;
	pthread_mutex_destroy(&settle->lock);
	free(settle);
}

static uint64_t name_hash(const char *name)
{
	return name && *name ? hash_text(HASH_INIT, name) : 0;
}

static void stir(struct unrest *unrest, int64_t now_ms)
{
	if (now_ms - unrest->last_ms >= SETTLE_MS)
		unrest->first_ms = now_ms;
	unrest->last_ms = now_ms;
}

void settle_note(struct settle *settle, int64_t now_ms, const char *id, const char *engine_name,
		 const char *label_name)
{
	struct unrest *slot = NULL;
	uint64_t id_hash = name_hash(id);

	pthread_mutex_lock(&settle->lock);
	for (size_t i = 0; id_hash && i < SETTLE_SLOTS && !slot; i++)
		if (settle->slots[i].id == id_hash)
			slot = &settle->slots[i];
	if (!slot) {
		slot = &settle->slots[settle->next++ % SETTLE_SLOTS];
		settle->lost = *slot;
		*slot = never;
	}
	slot->id = id_hash;
	slot->engine_name = name_hash(engine_name);
	slot->label_name = name_hash(label_name);
	stir(slot, now_ms);
	stir(&settle->any, now_ms);
	pthread_mutex_unlock(&settle->lock);
}

static int64_t left(const struct unrest *unrest, int64_t now_ms)
{
	int64_t until_ms = unrest->last_ms + SETTLE_MS;

	if (until_ms > unrest->first_ms + SETTLE_MAX_MS)
		until_ms = unrest->first_ms + SETTLE_MAX_MS;
	return until_ms > now_ms ? until_ms - now_ms : 0;
}

static bool concerns(const struct unrest *unrest, const struct action *action)
{
	const struct object *have = action->have;

	if (have && unrest->id && unrest->id == name_hash(have->id))
		return true;
	if (have && unrest->engine_name && unrest->engine_name == name_hash(have->engine_name))
		return true;
	/* One that was removed is known by its label alone. */
	return unrest->label_name && unrest->label_name == name_hash(action->name);
}

int64_t settle_left(struct settle *settle, int64_t now_ms, const struct action *action)
{
	int64_t longest_ms;

	if (strcmp(action->kind->name, "Container") != 0)
		return 0;
	pthread_mutex_lock(&settle->lock);
	longest_ms = left(&settle->lost, now_ms);
	for (size_t i = 0; i < SETTLE_SLOTS; i++) {
		int64_t left_ms = left(&settle->slots[i], now_ms);

		if (left_ms > longest_ms && concerns(&settle->slots[i], action))
			longest_ms = left_ms;
	}
	pthread_mutex_unlock(&settle->lock);
	return longest_ms;
}

int64_t settle_left_any(struct settle *settle, int64_t now_ms)
{
	pthread_mutex_lock(&settle->lock);
	int64_t left_ms = left(&settle->any, now_ms);
	pthread_mutex_unlock(&settle->lock);
	return left_ms;
}

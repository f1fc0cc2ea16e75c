/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/loop/stall.h"

#include "controller/base/str.h"
#include "controller/base/vec.h"
#include "controller/loop/backoff.h"

/* A try may turn one difference into another (created, but not started) and the next one back:
 * several are counted at a time. */
enum { DIFFERENCES_MAX = 8 };

struct difference {
	uint64_t hash;
	int tries;
};

struct entry {
	char *resource, *digest, *reason, *message;
	struct difference differences[DIFFERENCES_MAX];
	size_t count, current; /* current: asked for last */
	bool stalled;
	bool adopt; /* whatever is seen next is what it is stalled at: the last try's doing */
	bool asked; /* since the last sweep */
	bool done;  /* put right, and not yet seen to come back */
	struct backoff backoff;
	int64_t next_ms;
	int relapses;	   /* into the same difference, running */
	uint64_t relapsed; /* which one */
	int64_t kept_ms;   /* in step since; -1: it is not */
	struct backoff relapse_backoff;
};

struct stall {
	VEC(struct entry *) entries;
	uint64_t seed;
};

struct stall *stall_new(uint64_t seed)
{
	struct stall *stall = xcalloc(1, sizeof(*stall));

	stall->seed = seed;
	return stall;
}

static void entry_free(struct entry *entry)
{
	free(entry->resource);
	free(entry->digest);
	free(entry->reason);
	free(entry->message);
	free(entry);
}

void stall_free(struct stall *stall)
{
	if (!stall)
		return;
	for (size_t i = 0; i < stall->entries.count; i++)
		entry_free(stall->entries.items[i]);
	vec_done(&stall->entries);
	free(stall);
}

static struct entry *find(const struct stall *stall, const char *resource)
{
	for (size_t i = 0; i < stall->entries.count; i++)
		if (str_eq(stall->entries.items[i]->resource, resource))
			return stall->entries.items[i];
	return NULL;
}

static struct entry *make(struct stall *stall, const char *resource, const char *digest)
{
	struct entry *entry = xcalloc(1, sizeof(*entry));

	entry->resource = xstrdup(resource);
	entry->digest = xstrdup(digest);
	entry->kept_ms = -1;
	backoff_init(&entry->backoff, STALL_BASE_MS, STALL_MAX_MS, stall->seed);
	backoff_init(&entry->relapse_backoff, STALL_BASE_MS, STALL_MAX_MS, stall->seed);
	vec_push(&stall->entries, entry);
	return entry;
}

static void forget(struct stall *stall, const char *resource)
{
	for (size_t i = 0; i < stall->entries.count; i++) {
		if (!str_eq(stall->entries.items[i]->resource, resource))
			continue;
		entry_free(stall->entries.items[i]);
		stall->entries.items[i] = stall->entries.items[--stall->entries.count];
		return;
	}
}

void stall_keep(struct stall *stall, const char *resource, int64_t now_ms)
{
	struct entry *entry = find(stall, resource);

	if (!entry)
		return;
	/* Whatever is not drey's doing was somebody's who has looked into it. */
	if (entry->stalled || (!entry->done && entry->relapses == 0) ||
	    (entry->kept_ms >= 0 && now_ms - entry->kept_ms >= STALL_LASTED_MS)) {
		forget(stall, resource);
		return;
	}
	if (entry->kept_ms < 0)
		entry->kept_ms = now_ms;
	entry->asked = true;
	entry->count = entry->current = 0;
	entry->next_ms = 0;
	backoff_reset(&entry->backoff);
}

/* It was in step, and is not any more. Into another difference is no relapse: somebody is at it,
 * and each time it is put right at once. */
static void relapse(struct entry *entry, uint64_t difference, int64_t now_ms)
{
	entry->kept_ms = -1;
	if (!entry->done)
		return;
	entry->done = false;
	if (entry->relapsed != difference) {
		entry->relapsed = difference;
		entry->relapses = 0;
		backoff_reset(&entry->relapse_backoff);
	}
	entry->relapses++;
	if (entry->relapses > STALL_RELAPSES_FREE)
		entry->next_ms = now_ms + backoff_fail(&entry->relapse_backoff);
	if (entry->relapses >= STALL_RELAPSES)
		entry->stalled = entry->adopt = true;
}

/* Makes the difference the current one; the one that was tried least gives way to a new one. */
static struct difference *pick(struct entry *entry, uint64_t hash)
{
	size_t at = 0;

	for (size_t i = 0; i < entry->count; i++) {
		if (entry->differences[i].hash == hash) {
			entry->current = i;
			return &entry->differences[i];
		}
		if (entry->differences[i].tries < entry->differences[at].tries)
			at = i;
	}
	if (entry->count < DIFFERENCES_MAX)
		at = entry->count++;
	entry->differences[at] = (struct difference){ .hash = hash };
	entry->current = at;
	return &entry->differences[at];
}

static bool is_same(const struct entry *entry, uint64_t hash)
{
	return entry->count && entry->differences[entry->current].hash == hash;
}

enum stall_answer stall_ask(struct stall *stall, const char *resource, const char *digest,
			    uint64_t difference, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct entry *entry = find(stall, resource);

	*ret_wait_ms = 0;
	if (entry && entry->kept_ms >= 0 && now_ms - entry->kept_ms >= STALL_LASTED_MS) {
		forget(stall, resource);
		entry = NULL;
	}
	if (entry && entry->kept_ms >= 0 && str_eq(entry->digest, digest))
		relapse(entry, difference, now_ms);
	if (entry && entry->adopt && str_eq(entry->digest, digest)) {
		entry->adopt = false;
		pick(entry, difference);
	}
	/* Another manifest, or somebody has changed what is there. */
	if (entry &&
	    (!str_eq(entry->digest, digest) || (entry->stalled && !is_same(entry, difference)))) {
		forget(stall, resource);
		entry = NULL;
	}
	if (!entry)
		entry = make(stall, resource, digest);
	entry->asked = true;
	if (entry->stalled)
		return STALL_STOP;
	if (pick(entry, difference)->tries >= STALL_TRIES) {
		entry->stalled = true;
		return STALL_STOP;
	}
	if (now_ms >= entry->next_ms)
		return STALL_GO;
	*ret_wait_ms = entry->next_ms - now_ms;
	return STALL_WAIT;
}

bool stall_tell(struct stall *stall, const char *resource, enum stall_outcome outcome,
		const char *reason, const char *message, int64_t now_ms)
{
	struct entry *entry = find(stall, resource);

	if (!entry || !entry->count)
		return false;
	free(entry->reason);
	free(entry->message);
	entry->reason = xstrdup(reason);
	entry->message = xstrdup(message);
	entry->done = outcome == STALL_DONE;
	if (outcome != STALL_PASSES)
		entry->differences[entry->current].tries++;
	entry->next_ms = now_ms + backoff_fail(&entry->backoff);
	/* What seems done is judged when it is seen again. */
	entry->stalled =
		outcome == STALL_FINAL || (outcome == STALL_FAILED &&
					   entry->differences[entry->current].tries >= STALL_TRIES);
	entry->adopt = entry->stalled;
	return entry->stalled;
}

void stall_sweep(struct stall *stall)
{
	for (size_t i = stall->entries.count; i-- > 0;) {
		struct entry *entry = stall->entries.items[i];

		if (!entry->asked && !entry->adopt) {
			entry_free(entry);
			stall->entries.items[i] = stall->entries.items[--stall->entries.count];
			continue;
		}
		entry->asked = false;
	}
}

void stall_restore(struct stall *stall, const char *resource, const char *digest,
		   const char *reason, const char *message)
{
	struct entry *entry;

	forget(stall, resource);
	entry = make(stall, resource, digest);
	entry->adopt = entry->stalled = true;
	entry->reason = xstrdup(reason);
	entry->message = xstrdup(message);
}

bool stall_get(const struct stall *stall, const char *resource, struct stall_entry *ret_entry)
{
	const struct entry *entry = find(stall, resource);

	if (!entry)
		return false;
	*ret_entry = (struct stall_entry){
		.stalled = entry->stalled,
		.tries = entry->count ? entry->differences[entry->current].tries : 0,
		.reason = entry->reason ? entry->reason : "",
		.message = entry->message ? entry->message : "",
		.next_ms = entry->next_ms,
	};
	return true;
}

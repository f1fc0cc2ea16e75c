/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/fleet/lease.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "controller/base/mem.h"
#include "controller/base/tar.h"
#include "controller/fleet/lease_holder.h"
#include "controller/host/empty_image.h"
#include "reconcilers/container_calls.h"
#include "reconcilers/ownership.h"

enum {
	BEAT_TIMEOUT_MS = 8 * 1000,
	BEAT_AGAIN_MS = 1000, /* after one that failed */
	POLL_MS = 500,
	LOST_MAX = 3,	 /* answers */
	AT_ONCE_MAX = 3, /* times that it was to be had, and then was not */
};

struct lease {
	LIST_ENTRY(lease) link; /* in `own`, under own_lock */
	struct engine *engine;	/* the holder's, whose guard this is */
	struct empty_image image;
	char *id;
	char uid[33];
	int64_t broken_since_s;	      /* of the one that was void; 0: there was none */
	atomic_int_least64_t beat_ms; /* CLOCK_BOOTTIME of the last write that went well */
	atomic_bool gone;	      /* somebody took it away */

	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool stopping;	     /* under lock */
	struct engine *beat; /* the thread's own; set and cleared under lock */
};

/* Those that this process has, or is about to take. */
static LIST_HEAD(, lease) own = LIST_HEAD_INITIALIZER(own);
static pthread_mutex_t own_lock = PTHREAD_MUTEX_INITIALIZER;

/* Also runs while the machine sleeps. */
static int64_t boot_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int lease_check(const struct lease *lease, struct error *err)
{
	if (atomic_load(&lease->gone))
		return error_set(err, ERROR_CANCELLED,
				 "the lease of this engine (container " LEASE_NAME
				 ") was taken away, so nothing more is changed; run drey again");
	if (boot_ms() - atomic_load(&lease->beat_ms) > LEASE_LOST_MS)
		return error_set(err, ERROR_CANCELLED,
				 "the lease of this engine could not be renewed for %d s, so "
				 "nothing more is changed: another drey may hold it by now; run "
				 "drey again",
				 LEASE_LOST_MS / 1000);
	return 0;
}

static int guard(void *ctx, struct error *err)
{
	return lease_check(ctx, err);
}

/* --- the heartbeat --- */

/* One empty file. Only that it is unpacked counts: the directory it goes to gets the time of the
 * engine's clock. */
static int put_beat(struct engine *engine, const char *id, struct error *err)
{
	static const struct tar_file beat = { .path = "beat", .mode = 0600, .data = "" };
	CLEANUP(cleanup_free) char *path = engine_path("/containers/%s/archive?path=%s", id, "/");
	struct str tar;

	str_init(&tar, 0);
	tar_append(&tar, &beat);
	tar_end(&tar);
	int rc = engine_put_tar(engine, path, &tar, BEAT_TIMEOUT_MS, BEAT_TIMEOUT_MS, err);
	str_done(&tar);
	return rc;
}

/* Where lease_release() may interrupt it. */
static void publish(struct lease *lease, struct engine *engine)
{
	pthread_mutex_lock(&lease->lock);
	lease->beat = engine;
	pthread_mutex_unlock(&lease->lock);
}

static void close_beat(struct lease *lease)
{
	struct engine *engine = lease->beat;

	publish(lease, NULL);
	engine_close(engine);
}

/* The engine is opened for the first beat: most leases are over before. */
static int beat(struct lease *lease)
{
	struct error err = ERROR_INIT;
	struct engine *engine;
	int64_t now_ms = boot_ms();

	if (!lease->beat) {
		if (engine_open_beside(lease->engine, &engine, &err) < 0)
			return -1;
		publish(lease, engine);
	}
	if (put_beat(lease->beat, lease->id, &err) == 0) {
		/* The engine's clock was read after this one. */
		atomic_store(&lease->beat_ms, now_ms);
		return 0;
	}
	if (err.code == ERROR_NOT_FOUND)
		atomic_store(&lease->gone, true);
	close_beat(lease);
	return -1;
}

/* False once the lease is to end. */
static bool rest(struct lease *lease, int ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_mutex_lock(&lease->lock);
	while (!lease->stopping && pthread_cond_timedwait(&lease->cond, &lease->lock, &until) == 0)
		;
	bool go = !lease->stopping;
	pthread_mutex_unlock(&lease->lock);
	return go;
}

static void *run_beats(void *arg)
{
	struct lease *lease = arg;
	int wait_ms = LEASE_BEAT_MS;

	while (rest(lease, wait_ms) && !atomic_load(&lease->gone))
		wait_ms = beat(lease) == 0 ? LEASE_BEAT_MS : BEAT_AGAIN_MS;
	close_beat(lease);
	return NULL;
}

static int start_beats(struct lease *lease, struct error *err)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&lease->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&lease->cond, &attr);
	pthread_condattr_destroy(&attr);
	int failed = pthread_create(&lease->thread, NULL, run_beats, lease);
	if (failed == 0)
		return 0;
	pthread_cond_destroy(&lease->cond);
	pthread_mutex_destroy(&lease->lock);
	return error_errno(err, failed, "start a thread");
}

static void stop_beats(struct lease *lease)
{
	pthread_mutex_lock(&lease->lock);
	lease->stopping = true;
	if (lease->beat)
		engine_interrupt(lease->beat);
	pthread_cond_signal(&lease->cond);
	pthread_mutex_unlock(&lease->lock);
	pthread_join(lease->thread, NULL);
	pthread_cond_destroy(&lease->cond);
	pthread_mutex_destroy(&lease->lock);
}

/* --- taking and giving it back --- */

/* What stands there now; *ret_inspect NULL: nothing. */
static int inspect(struct lease *lease, json_t **ret_inspect, struct error *err)
{
	*ret_inspect = NULL;
	if (engine_get(lease->engine, "/containers/" LEASE_NAME "/json", ret_inspect, err) == 0)
		return 0;
	if (err->code != ERROR_NOT_FOUND)
		return error_wrap(err, "inspect container " LEASE_NAME);
	error_clear(err);
	return 0;
}

static int remove_container(struct engine *engine, const char *id, struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/containers/%s?v=1&force=1", id);

	if (engine_delete(engine, path, err) == 0)
		return 0;
	/* 409: somebody else is just removing it. */
	if (err->code != ERROR_NOT_FOUND && err->code != ERROR_CONFLICT)
		return error_wrap(err, "remove container " LEASE_NAME);
	error_clear(err);
	return 0;
}

/* Is it ours, or whose? */
static int judge(struct lease *lease, struct lease_holder *holder, bool *ret_ours,
		 json_t **ret_inspect, struct error *err)
{
	if (inspect(lease, ret_inspect, err) < 0)
		return -1;
	*ret_ours = false;
	if (!*ret_inspect)
		return 0;
	if (lease_holder_read(*ret_inspect, holder) < 0)
		return error_set(err, ERROR_REFUSED,
				 "container " LEASE_NAME " stands in the way and is not drey's; "
				 "remove or rename it");
	*ret_ours = strcmp(holder->uid, lease->uid) == 0;
	if (*ret_ours)
		lease->id = xstrdup(holder->id);
	return 0;
}

/* One try: *ret_holder's id stays empty where nobody has it either. */
static int try_once(struct lease *lease, const struct lease_options *options,
		    struct lease_holder *ret_holder, bool *ret_taken, struct error *err)
{
	json_t *body = lease_holder_body(options->purpose, lease->uid, lease->broken_since_s);
	json_t *reply = NULL;
	int rc = empty_image_create_container(&lease->image, lease->engine, LEASE_NAME, body,
					      &reply, err);

	json_decref(body);
	*ret_holder = (struct lease_holder){ 0 };
	*ret_taken = rc == 0 && json_string_value(json_object_get(reply, "Id"));
	if (*ret_taken)
		lease->id = xstrdup(json_string_value(json_object_get(reply, "Id")));
	json_decref(reply);
	if (*ret_taken)
		return 0;
	struct error created = *err;
	error_clear(err);
	/* Whatever the answer was: whose it is is what the engine says now. */
	int judged = judge(lease, ret_holder, ret_taken, &reply, err);
	json_decref(reply);
	if (judged < 0 || *ret_taken || rc == 0 || created.code == ERROR_CONFLICT)
		return judged;
	*err = created;
	error_wrap(err, "create container " LEASE_NAME);
	if (strcasestr(created.text, "no space left on device"))
		return error_hint(err,
				  "the disk of the host is full; 'docker system df' there shows "
				  "what fills it");
	return -1;
}

/* The first of them began before the others. */
static void remember_broken(struct lease *lease, const struct lease_holder *holder)
{
	int64_t since_s = holder->void_since_s;

	if (since_s <= 0 && !engine_parse_time(holder->since, &since_s))
		return;
	if (!lease->broken_since_s || since_s < lease->broken_since_s)
		lease->broken_since_s = since_s;
}

/* One of this process, which no longer has it: it was left on the engine. */
static bool is_abandoned(const struct lease_holder *holder)
{
	const struct lease *lease;
	bool held = false;

	if (!lease_holder_is_self(holder))
		return false;
	pthread_mutex_lock(&own_lock);
	LIST_FOREACH (lease, &own, link)
		held = held || strcmp(lease->uid, holder->uid) == 0;
	pthread_mutex_unlock(&own_lock);
	return !held;
}

/* The one whose ID was seen goes, never a newer one by its name. */
static int break_if_stale(struct lease *lease, const struct lease_holder *holder, bool *ret_broken,
			  struct error *err)
{
	bool stale = lease_holder_is_dead(holder) || is_abandoned(holder);

	if (!stale && lease_holder_is_silent(lease->engine, holder, &stale, err) < 0)
		return -1;
	*ret_broken = stale;
	if (!stale)
		return 0;
	/* Before: an answer that gets lost must not take that along. */
	remember_broken(lease, holder);
	return remove_container(lease->engine, holder->id, err);
}

bool lease_was_void(const struct lease *lease, int64_t *ret_since_s)
{
	*ret_since_s = lease->broken_since_s;
	return lease->broken_since_s > 0;
}

/* Nobody is seen to have it, or the one who had it can't be taken away: most often it is to be had
 * now. Where it is not, in a while: an engine that is removing a container, or never finished doing
 * so, keeps its name. */
static void describe(const struct lease_holder *holder, bool vacant, char *text, size_t size)
{
	if (vacant)
		snprintf(text, size,
			 "the engine keeps the name " LEASE_NAME
			 " for a container that it doesn't show, or can't remove");
	else
		lease_holder_describe(holder, text, size);
}

static int give_up(const char *text, bool vacant, struct error *err)
{
	error_set(err, ERROR_CONFLICT, "%s", text);
	return error_hint(err, "%s",
			  vacant ? "'docker rm -f " LEASE_NAME "' there, or a restart of the "
				   "engine, frees it"
				 : "wait for it, or see what it is at: without a sign of life for "
				   "a minute its lease is void");
}

static int wait_for_it(struct lease *lease, const struct lease_options *options, struct error *err)
{
	int64_t until_ms = boot_ms() + options->timeout_ms;
	struct lease_holder holder;
	bool taken, vacant, broken = false, told = false;
	char text[512];
	int lost = 0, at_once = 0;

	for (;;) {
		/* Whoever has taken a void one away makes its own, which tells of it. */
		if (!broken && options->cancelled && options->cancelled(options->ctx))
			return error_set(err, ERROR_CANCELLED, "interrupted");
		if (try_once(lease, options, &holder, &taken, err) < 0) {
			if (!call_is_lost(err) || ++lost == LOST_MAX)
				return -1;
			error_clear(err);
			continue;
		}
		if (taken)
			return 0;
		broken = false;
		vacant = !*holder.id;
		if (!vacant && break_if_stale(lease, &holder, &broken, err) < 0) {
			if (!call_is_lost(err) || ++lost == LOST_MAX)
				return -1;
			error_clear(err);
			continue;
		}
		vacant |= broken;
		if (vacant && at_once++ < AT_ONCE_MAX)
			continue;
		describe(&holder, vacant, text, sizeof(text));
		if (boot_ms() >= until_ms)
			return give_up(text, vacant, err);
		if (!told && options->waits)
			options->waits(options->ctx, text);
		told = true;
		broken = false;
		poll(NULL, 0, POLL_MS);
	}
}

static struct lease *new_lease(struct engine *engine)
{
	struct lease *lease = xcalloc(1, sizeof(*lease));

	lease->engine = engine;
	lease_holder_uid(lease->uid);
	atomic_init(&lease->beat_ms, boot_ms());
	pthread_mutex_lock(&own_lock);
	LIST_INSERT_HEAD(&own, lease, link);
	pthread_mutex_unlock(&own_lock);
	return lease;
}

static void free_lease(struct lease *lease)
{
	pthread_mutex_lock(&own_lock);
	LIST_REMOVE(lease, link);
	pthread_mutex_unlock(&own_lock);
	free(lease->id);
	free(lease);
}

int lease_take(struct engine *engine, const struct lease_options *options, struct lease **ret_lease,
	       struct error *err)
{
	struct lease *lease = new_lease(engine);
	struct error ignored = ERROR_INIT;

	if (wait_for_it(lease, options, err) < 0) {
		empty_image_settle(&lease->image, engine);
		free_lease(lease);
		return -1;
	}
	/* Whatever the waiting took: the engine's clock for it began with its creation. */
	atomic_store(&lease->beat_ms, boot_ms());
	if (start_beats(lease, err) < 0) {
		(void)!remove_container(engine, lease->id, &ignored);
		empty_image_settle(&lease->image, engine);
		free_lease(lease);
		return -1;
	}
	engine_set_guard(engine, guard, lease);
	*ret_lease = lease;
	return 0;
}

static void end(struct lease *lease)
{
	stop_beats(lease);
	engine_set_guard(lease->engine, NULL, NULL);
}

void lease_release(struct lease *lease)
{
	struct error ignored = ERROR_INIT;

	if (!lease)
		return;
	end(lease);
	/* By its ID: where another holds it by now, that one is not touched. */
	(void)!remove_container(lease->engine, lease->id, &ignored);
	empty_image_settle(&lease->image, lease->engine);
	free_lease(lease);
}

void lease_abandon(struct lease *lease)
{
	end(lease);
	free_lease(lease);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/plan/crew.h"

#include <pthread.h>

#include "controller/base/mem.h"

struct worker {
	struct crew *crew;
	pthread_t thread;
	struct pass pass;
	struct result *task; /* under lock; NULL: at rest */
};

struct crew {
	struct pass *pass; /* of the owner */
	size_t size;
	void (*run)(struct pass *pass, const struct action *action, struct result *result);
	pthread_mutex_t hooks_lock; /* held by the worker that is in a hook */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* All under lock. */
	struct worker *workers;
	size_t started, under_way;
	VEC(struct result *) ended;
	bool closing;
};

/* --- hooks --- */

static void on_progress(void *ctx, const struct progress *progress)
{
	struct crew *crew = ctx;

	pthread_mutex_lock(&crew->hooks_lock);
	crew->pass->hooks.progress(crew->pass->hooks.ctx, progress);
	pthread_mutex_unlock(&crew->hooks_lock);
}

static void on_journal(void *ctx, const char *host, const char *resource, const char *step)
{
	struct crew *crew = ctx;

	pthread_mutex_lock(&crew->hooks_lock);
	crew->pass->hooks.journal(crew->pass->hooks.ctx, host, resource, step);
	pthread_mutex_unlock(&crew->hooks_lock);
}

static bool on_cancelled(void *ctx)
{
	struct crew *crew = ctx;

	pthread_mutex_lock(&crew->hooks_lock);
	bool cancelled = crew->pass->hooks.cancelled(crew->pass->hooks.ctx);
	pthread_mutex_unlock(&crew->hooks_lock);
	return cancelled;
}

/* --- workers --- */

static void release(void *json)
{
	json_decref(json);
}

/* What is known of images changes with a pull: each has a map of its own. */
static void equip(struct worker *worker)
{
	struct crew *crew = worker->crew;
	const struct pass_hooks *hooks = &crew->pass->hooks;
	struct pass *pass = &worker->pass;

	*pass = *crew->pass;
	pass->arena = arena_new();
	pass->engine = engine_handle(crew->pass->engine);
	pass->observed.images = json_copy(crew->pass->observed.images);
	arena_defer(pass->arena, release, pass->observed.images);
	pass->hooks = (struct pass_hooks){
		.ctx = crew,
		.progress = hooks->progress ? on_progress : NULL,
		.journal = hooks->journal ? on_journal : NULL,
		.cancelled = hooks->cancelled ? on_cancelled : NULL,
	};
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct crew *crew = worker->crew;

	pthread_mutex_lock(&crew->lock);
	for (;;) {
		while (!worker->task && !crew->closing)
			pthread_cond_wait(&crew->changed, &crew->lock);
		if (!worker->task)
			break;
		struct result *task = worker->task;
		pthread_mutex_unlock(&crew->lock);
		crew->run(&worker->pass, task->action, task);
		pthread_mutex_lock(&crew->lock);
		worker->task = NULL;
		vec_push(&crew->ended, task);
		crew->under_way--;
		pthread_cond_broadcast(&crew->changed);
	}
	pthread_mutex_unlock(&crew->lock);
	return NULL;
}

struct crew *crew_new(struct pass *pass, size_t size,
		      void (*run)(struct pass *pass, const struct action *action,
				  struct result *result))
{
	struct crew *crew = xcalloc(1, sizeof(*crew));

	crew->pass = pass;
	crew->size = size;
	crew->run = run;
	crew->workers = xcalloc(size, sizeof(*crew->workers));
	pthread_mutex_init(&crew->hooks_lock, NULL);
	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->changed, NULL);
	return crew;
}

static void disband(struct worker *worker)
{
	engine_close(worker->pass.engine);
	arena_free(worker->pass.arena);
}

/* Under lock. Where the system has no further thread, those that there are must do. */
static void start_worker(struct crew *crew)
{
	struct worker *worker = &crew->workers[crew->started];

	worker->crew = crew;
	equip(worker);
	if (pthread_create(&worker->thread, NULL, work, worker) == 0) {
		crew->started++;
	} else {
		disband(worker);
		crew->size = crew->started;
	}
}

/* Under lock. NULL: all are at work. */
static struct worker *find_free(struct crew *crew)
{
	for (size_t i = 0; i < crew->started; i++) {
		if (!crew->workers[i].task)
			return &crew->workers[i];
	}
	return NULL;
}

bool crew_hand_over(struct crew *crew, struct result *result)
{
	struct worker *worker;

	pthread_mutex_lock(&crew->lock);
	while (!(worker = find_free(crew)) && crew->size > 0) {
		if (crew->started < crew->size)
			start_worker(crew);
		else
			pthread_cond_wait(&crew->changed, &crew->lock);
	}
	if (worker) {
		worker->task = result;
		crew->under_way++;
		pthread_cond_broadcast(&crew->changed);
	}
	pthread_mutex_unlock(&crew->lock);
	return worker;
}

struct result *crew_wait(struct crew *crew)
{
	struct result *result = NULL;

	pthread_mutex_lock(&crew->lock);
	while (crew->ended.count == 0 && crew->under_way > 0)
		pthread_cond_wait(&crew->changed, &crew->lock);
	if (crew->ended.count > 0)
		result = crew->ended.items[--crew->ended.count];
	pthread_mutex_unlock(&crew->lock);
	return result;
}

void crew_free(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	crew->closing = true;
	pthread_cond_broadcast(&crew->changed);
	pthread_mutex_unlock(&crew->lock);
	for (size_t i = 0; i < crew->started; i++) {
		pthread_join(crew->workers[i].thread, NULL);
		disband(&crew->workers[i]);
	}
	vec_done(&crew->ended);
	pthread_cond_destroy(&crew->changed);
	pthread_mutex_destroy(&crew->lock);
	pthread_mutex_destroy(&crew->hooks_lock);
	free(crew->workers);
	free(crew);
}

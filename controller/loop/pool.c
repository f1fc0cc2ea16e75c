/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/loop/pool.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "controller/base/vec.h"

struct pool {
	void (*run)(void *job);
	size_t max_threads;
	pthread_mutex_t lock;
	pthread_cond_t work_cond;
	/* All under lock. */
	VEC(void *) jobs; /* first come at `first` */
	size_t first;
	size_t threads, idle;
	VEC(pthread_t) ended; /* to be joined */
	pthread_cond_t ended_cond;
	bool closing;
};

struct pool *pool_new(int max_threads, void (*run)(void *job))
{
	struct pool *pool = xcalloc(1, sizeof(*pool));
	pthread_condattr_t attr;

	pool->run = run;
	pool->max_threads = (size_t)max_threads;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->work_cond, &attr);
	pthread_cond_init(&pool->ended_cond, &attr);
	pthread_condattr_destroy(&attr);
	return pool;
}

/* Under lock. False: none came within the time, or the pool closes. */
static bool wait_for_job(struct pool *pool)
{
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += POOL_IDLE_MS / 1000;
	pool->idle++;
	while (pool->first == pool->jobs.count && !pool->closing && rc == 0)
		rc = pthread_cond_timedwait(&pool->work_cond, &pool->lock, &until);
	pool->idle--;
	return pool->first < pool->jobs.count;
}

static void *work(void *arg)
{
	struct pool *pool = arg;

	pthread_mutex_lock(&pool->lock);
	while (wait_for_job(pool)) {
		void *job = pool->jobs.items[pool->first++];

		if (pool->first == pool->jobs.count)
			pool->first = pool->jobs.count = 0;
		pthread_mutex_unlock(&pool->lock);
		pool->run(job);
		pthread_mutex_lock(&pool->lock);
	}
	pool->threads--;
	vec_push(&pool->ended, pthread_self());
	pthread_cond_signal(&pool->ended_cond);
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* Under lock, which the threads to be joined do not take any more. */
static void join_ended(struct pool *pool)
{
	for (size_t i = 0; i < pool->ended.count; i++)
		pthread_join(pool->ended.items[i], NULL);
	pool->ended.count = 0;
}

/* Signals are for the main thread alone. */
static int start_thread(struct pool *pool)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, POOL_STACK);
	int errnum = pthread_create(&thread, &attr, work, pool);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return errnum;
}

int pool_submit(struct pool *pool, void *job, struct error *err)
{
	int errnum = 0;

	pthread_mutex_lock(&pool->lock);
	join_ended(pool);
	vec_push(&pool->jobs, job);
	if (pool->idle < pool->jobs.count - pool->first && pool->threads < pool->max_threads) {
		errnum = start_thread(pool);
		pool->threads += errnum == 0;
	}
	if (pool->threads > 0)
		errnum = 0; /* fewer at a time, but it gets done */
	else
		pool->jobs.count--;
	pthread_cond_signal(&pool->work_cond);
	pthread_mutex_unlock(&pool->lock);
	return errnum ? error_errno(err, errnum, "start a thread") : 0;
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->closing = true;
	pthread_cond_broadcast(&pool->work_cond);
	while (pool->threads > 0)
		pthread_cond_wait(&pool->ended_cond, &pool->lock);
	join_ended(pool);
	pthread_mutex_unlock(&pool->lock);
	vec_done(&pool->jobs);
	vec_done(&pool->ended);
	pthread_cond_destroy(&pool->work_cond);
	pthread_cond_destroy(&pool->ended_cond);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

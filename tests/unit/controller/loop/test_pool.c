/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <unistd.h>

#include "controller/base/io.h"
#include "controller/loop/pool.h"

struct job {
	atomic_int *running, *most, *done;
};

static void run(void *arg)
{
	struct job *job = arg;
	int now = atomic_fetch_add(job->running, 1) + 1;
	int most = atomic_load(job->most);

	while (now > most && !atomic_compare_exchange_weak(job->most, &most, now))
		;
	usleep(2000);
	atomic_fetch_sub(job->running, 1);
	atomic_fetch_add(job->done, 1);
}

Test(pool, does_all_and_no_more_than_so_many_at_a_time, .timeout = 30)
{
	struct pool *pool = pool_new(4, run);
	atomic_int running = 0, most = 0, done = 0;
	struct job job = { &running, &most, &done };
	struct error err = ERROR_INIT;

	for (int i = 0; i < 200; i++)
		cr_assert_eq(pool_submit(pool, &job, &err), 0);
	pool_free(pool);
	cr_assert_eq(done, 200);
	cr_assert_leq(most, 4);
	cr_assert_gt(most, 1);
}

Test(pool, threads_that_have_ended_are_replaced, .timeout = 30)
{
	struct pool *pool = pool_new(2, run);
	atomic_int running = 0, most = 0, done = 0;
	struct job job = { &running, &most, &done };
	struct error err = ERROR_INIT;

	cr_assert_eq(pool_submit(pool, &job, &err), 0);
	usleep((POOL_IDLE_MS + 200) * 1000);
	cr_assert_eq(pool_submit(pool, &job, &err), 0);
	for (int64_t end = io_now_ms() + 5000; done < 2 && io_now_ms() < end;)
		usleep(1000);
	cr_assert_eq(done, 2);
	pool_free(pool);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/base/interrupt.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <unistd.h>

struct job {
	int signals[3]; /* that the task sends this process, one after the other; ends with 0 */
	int pipe[2];
	int interrupts, done;
};

/* Waits after each signal until interrupt() was called: without the call the test never ends. */
static void task(void *ctx)
{
	struct job *job = ctx;
	char byte;

	for (const int *signo = job->signals; *signo; signo++) {
		kill(getpid(), *signo);
		cr_assert_eq(read(job->pipe[0], &byte, 1), 1);
	}
	job->done++;
}

static void interrupt(void *ctx)
{
	struct job *job = ctx;

	job->interrupts++;
	cr_assert_eq(write(job->pipe[1], "", 1), 1);
}

static bool run(struct job *job)
{
	cr_assert_eq(pipe(job->pipe), 0);
	return interrupt_run(task, interrupt, job);
}

Test(interrupt, without_a_signal_the_task_just_runs, .timeout = 30)
{
	struct job job = { 0 };

	cr_expect_not(run(&job));
	cr_expect_eq(job.done, 1);
	cr_expect_eq(job.interrupts, 0);
}

Test(interrupt, each_signal_interrupts, .timeout = 30)
{
	struct job job = { .signals = { SIGINT, SIGHUP } };

	cr_expect(run(&job));
	cr_expect_eq(job.done, 1);
	cr_expect_eq(job.interrupts, 2);
	struct job other = { .signals = { SIGTERM } };
	cr_expect(run(&other));
	cr_expect_eq(other.interrupts, 1);
}

Test(interrupt, the_mask_is_as_it_was_afterwards, .timeout = 30)
{
	struct job job = { .signals = { SIGTERM } };
	sigset_t mask;

	run(&job);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	cr_expect_not(sigismember(&mask, SIGTERM));
	cr_expect_not(sigismember(&mask, SIGHUP));
}

Test(interrupt, nohup_counts)
{
	sigset_t set;

	interrupt_signals(&set);
	cr_expect(sigismember(&set, SIGHUP));
	signal(SIGHUP, SIG_IGN);
	interrupt_signals(&set);
	cr_expect_not(sigismember(&set, SIGHUP));
	cr_expect(sigismember(&set, SIGTERM));
}

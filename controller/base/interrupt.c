/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/base/interrupt.h"

#include "controller/base/io.h"
#include "controller/base/mem.h"

#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

void interrupt_signals(sigset_t *ret_set)
{
	struct sigaction action;

	sigemptyset(ret_set);
	sigaddset(ret_set, SIGINT);
	sigaddset(ret_set, SIGTERM);
	if (sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
		sigaddset(ret_set, SIGHUP);
}

struct job {
	void (*task)(void *ctx);
	void *ctx;
	int done_fd;
};

static void *run_task(void *ctx)
{
	struct job *job = ctx;
	uint64_t one = 1;

	job->task(job->ctx);
	(void)!write(job->done_fd, &one, sizeof(one));
	return NULL;
}

/* True when a signal came before the task had ended. */
static bool wait_for(const struct job *job, int signal_fd, void (*interrupt)(void *ctx))
{
	struct pollfd fds[] = { { .fd = job->done_fd, .events = POLLIN },
				{ .fd = signal_fd, .events = POLLIN } };
	struct signalfd_siginfo info;
	bool interrupted = false;

	while (!fds[0].revents) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
			fds[0].revents = 0;
			continue;
		}
		if (!fds[1].revents || read(signal_fd, &info, sizeof(info)) != sizeof(info))
			continue;
		interrupted = true;
		interrupt(job->ctx);
	}
	return interrupted;
}

bool interrupt_run(void (*task)(void *ctx), void (*interrupt)(void *ctx), void *ctx)
{
	CLEANUP(cleanup_close) int done_fd = eventfd(0, EFD_CLOEXEC);
	CLEANUP(cleanup_close) int signal_fd = -1;
	struct job job = { .task = task, .ctx = ctx, .done_fd = done_fd };
	sigset_t signals, before;
	pthread_t thread;
	bool interrupted = false;

	interrupt_signals(&signals);
	pthread_sigmask(SIG_BLOCK, &signals, &before);
	signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (done_fd < 0 || signal_fd < 0 || pthread_create(&thread, NULL, run_task, &job) != 0) {
		/* Nobody can wait for both: the task still gets done. */
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		task(ctx);
		return false;
	}
	interrupted = wait_for(&job, signal_fd, interrupt);
	pthread_join(thread, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return interrupted;
}

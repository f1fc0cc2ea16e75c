/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three threads: the caller's takes the stream from the engine and hands each piece to two others
 * through socket pairs, one that lists what is in it, one that sends it to the new volume. Whoever
 * is slow holds the others back; whoever fails shuts his door, which ends the others.
 */
#include "controller/backup/copy.h"

#include "controller/base/str.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PROGRESS_EVERY = 1024 * 1024, CANCEL_EVERY_MS = 500 };

/* One end of the stream: what is sent to `in` arrives at `out`, in its thread. */
struct branch {
	int in, out;
	pthread_t thread;
	struct error err;
	int rc;
	bool runs;
};

struct copy {
	struct pass *pass;
	const char *resource;
	struct helper *to;
	struct engine *engine; /* the writer's */
	struct branch lister, writer;
	struct listing listing;
	struct tar_tail tail;
	int64_t bytes, reported;
	atomic_bool broken; /* what the writer gets is not the whole of it */
	bool shut;	    /* one of the two has shut its door */
};

static ssize_t receive(int fd, void *buf, size_t room, struct error *err)
{
	ssize_t n;

	do {
		n = read(fd, buf, room);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? error_errno(err, errno, "copy") : n;
}

static ssize_t receive_list(void *ctx, void *buf, size_t room, struct error *err)
{
	struct copy *copy = ctx;

	return receive(copy->lister.out, buf, room, err);
}

/* A stream that ends before its time must not look to the engine like one that is over. */
static ssize_t receive_write(void *ctx, char *buf, size_t room, struct error *err)
{
	struct copy *copy = ctx;
	ssize_t n = receive(copy->writer.out, buf, room, err);

	if (n == 0 && atomic_load(&copy->broken))
		return error_set(err, ERROR_CANCELLED, "the copy was given up");
	return n;
}

static void *list_thread(void *arg)
{
	struct copy *copy = arg;
	struct branch *branch = &copy->lister;

	branch->rc = listing_read(receive_list, copy, &copy->listing, &branch->err);
	shutdown(branch->out, SHUT_RDWR);
	return NULL;
}

static void *write_thread(void *arg)
{
	struct copy *copy = arg;
	struct branch *branch = &copy->writer;

	branch->rc = helper_write(copy->to, copy->engine, receive_write, copy, &branch->err);
	shutdown(branch->out, SHUT_RDWR);
	return NULL;
}

static int check_cancelled(const struct pass *pass, struct error *err)
{
	if (pass->hooks.cancelled && pass->hooks.cancelled(pass->hooks.ctx))
		return error_set(err, ERROR_CANCELLED, "interrupted");
	return 0;
}

/* Nobody waits for ever on a host that has stopped taking anything. */
static int send_on(struct copy *copy, int fd, const char *data, size_t len, struct error *err)
{
	while (len > 0) {
		struct pollfd ready = { .fd = fd, .events = POLLOUT };
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			poll(&ready, 1, CANCEL_EVERY_MS);
			if (check_cancelled(copy->pass, err) < 0)
				return -1;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			copy->shut = errno == EPIPE;
			return error_errno(err, errno, "pass the files on");
		}
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static void report(struct copy *copy)
{
	const struct pass_hooks *hooks = &copy->pass->hooks;
	struct progress progress = {
		.kind = PROGRESS_BYTES,
		.host = copy->pass->desired->host->name,
		.resource = copy->resource,
		.text = "copy",
		.current = copy->bytes,
	};

	if (!hooks->progress || copy->bytes - copy->reported < PROGRESS_EVERY)
		return;
	copy->reported = copy->bytes;
	hooks->progress(hooks->ctx, &progress);
}

static int take(void *ctx, const char *data, size_t len, struct error *err)
{
	struct copy *copy = ctx;

	if (check_cancelled(copy->pass, err) < 0)
		return -1;
	copy->bytes += (int64_t)len;
	tar_tail_add(&copy->tail, data, len);
	report(copy);
	if (send_on(copy, copy->lister.in, data, len, err) < 0)
		return -1;
	return send_on(copy, copy->writer.in, data, len, err);
}

static int branch_start(struct branch *branch, void *(*run)(void *arg), struct copy *copy,
			struct error *err)
{
	int fds[2];

	branch->in = branch->out = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return error_errno(err, errno, "socketpair");
	branch->in = fds[0];
	branch->out = fds[1];
	int failed = pthread_create(&branch->thread, NULL, run, copy);
	if (failed)
		return error_errno(err, failed, "start a thread");
	branch->runs = true;
	return 0;
}

static void branch_end(struct branch *branch)
{
	if (branch->in >= 0)
		shutdown(branch->in, SHUT_WR);
	if (branch->runs)
		pthread_join(branch->thread, NULL);
	if (branch->in >= 0)
		close(branch->in);
	if (branch->out >= 0)
		close(branch->out);
}

static int stream(struct copy *copy, struct helper *from, struct error *err)
{
	if (branch_start(&copy->lister, list_thread, copy, err) < 0 ||
	    branch_start(&copy->writer, write_thread, copy, err) < 0 ||
	    helper_read(from, take, copy, err) < 0)
		return -1;
	if (!tar_tail_ended(&copy->tail))
		return error_set(err, ERROR_REMOTE,
				 "the engine's tar stream stopped before its end");
	return 0;
}

/* Whose complaint it is: a door that was shut says less than why. */
static int conclude(struct copy *copy, int rc, struct error *err)
{
	const struct branch *writer = &copy->writer, *lister = &copy->lister;

	if (rc < 0 && !copy->shut)
		return -1;
	if (writer->rc < 0) {
		*err = writer->err;
		return error_wrap(err, "unpack");
	}
	if (lister->rc < 0)
		*err = lister->err;
	return rc < 0 || lister->rc < 0 ? -1 : 0;
}

int copy_volume(struct pass *pass, const char *resource, struct helper *from, struct helper *to,
		struct listing *ret_listing, struct error *err)
{
	struct copy copy = {
		.pass = pass,
		.resource = resource,
		.to = to,
		.lister = { .in = -1, .out = -1, .err = ERROR_INIT },
		.writer = { .in = -1, .out = -1, .err = ERROR_INIT },
	};
	if (engine_open_beside(pass->engine, &copy.engine, err) < 0)
		return -1;
	int rc = stream(&copy, from, err);

	if (rc < 0) {
		atomic_store(&copy.broken, true);
		engine_interrupt(copy.engine);
	}
	branch_end(&copy.lister);
	branch_end(&copy.writer);
	engine_close(copy.engine);
	rc = conclude(&copy, rc, err);
	if (rc < 0) {
		listing_done(&copy.listing);
		return -1;
	}
	*ret_listing = copy.listing;
	return 0;
}

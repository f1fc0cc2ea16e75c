/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/loop/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "controller/base/mem.h"

struct mailbox {
	pthread_mutex_t lock;
	struct message *first, **last; /* under lock */
	int fd;
};

int mailbox_new(struct mailbox **ret_mailbox, struct error *err)
{
	struct mailbox *mailbox = xcalloc(1, sizeof(*mailbox));

	mailbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (mailbox->fd < 0) {
		free(mailbox);
		return error_errno(err, errno, "eventfd");
	}
	pthread_mutex_init(&mailbox->lock, NULL);
	mailbox->last = &mailbox->first;
	*ret_mailbox = mailbox;
	return 0;
}

void mailbox_free(struct mailbox *mailbox)
{
	if (!mailbox)
		return;
	for (struct message *message = mailbox_take(mailbox), *next; message; message = next) {
		next = message->next;
		message_free(message);
	}
	close(mailbox->fd);
	pthread_mutex_destroy(&mailbox->lock);
	free(mailbox);
}

int mailbox_fd(const struct mailbox *mailbox)
{
	return mailbox->fd;
}

struct message *message_new(enum message_kind kind, struct loop_host *host)
{
	struct message *message = xcalloc(1, sizeof(*message));

	message->kind = kind;
	message->host = host;
	return message;
}

void message_free(struct message *message)
{
	report_free(message->report);
	json_decref(message->record);
	free(message->resource);
	free(message->step);
	free(message);
}

void mailbox_post(struct mailbox *mailbox, struct message *message)
{
	uint64_t one = 1;

	message->next = NULL;
	pthread_mutex_lock(&mailbox->lock);
	*mailbox->last = message;
	mailbox->last = &message->next;
	pthread_mutex_unlock(&mailbox->lock);
	/* A full counter means that the reader is to wake up anyway. */
	(void)!write(mailbox->fd, &one, sizeof(one));
}

struct message *mailbox_take(struct mailbox *mailbox)
{
	uint64_t count;

	(void)!read(mailbox->fd, &count, sizeof(count));
	pthread_mutex_lock(&mailbox->lock);
	struct message *first = mailbox->first;
	mailbox->first = NULL;
	mailbox->last = &mailbox->first;
	pthread_mutex_unlock(&mailbox->lock);
	return first;
}

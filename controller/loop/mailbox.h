/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What threads tell the loop's thread: a queue and a descriptor that is readable while there is
 * something in it. Messages are never dropped; senders bound what they send. */
#pragma once

#include <jansson.h>

#include "controller/loop/report.h"

struct loop_host;

enum message_kind {
	MESSAGE_LOOK,	 /* an event came */
	MESSAGE_UP,	 /* the event stream is open */
	MESSAGE_DOWN,	 /* the event stream broke: err, wait_ms */
	MESSAGE_ENDED,	 /* the event stream's thread is about to end */
	MESSAGE_REPORT,	 /* report */
	MESSAGE_DONE,	 /* the look is over */
	MESSAGE_JOURNAL, /* resource, step */
	MESSAGE_BACKUP,	 /* record */
};

struct message {
	struct message *next;
	enum message_kind kind;
	struct loop_host *host;
	struct report *report; /* owned */
	char *resource, *step; /* owned */
	json_t *record;	       /* owned */
	struct error err;
	int64_t wait_ms;
};

struct mailbox;

MUST_CHECK int mailbox_new(struct mailbox **ret_mailbox, struct error *err);
/* Messages that nobody took are freed with it. NULL is allowed. */
void mailbox_free(struct mailbox *mailbox);
int mailbox_fd(const struct mailbox *mailbox);
/* From any thread. */
struct message *message_new(enum message_kind kind, struct loop_host *host);
void message_free(struct message *message);
void mailbox_post(struct mailbox *mailbox, struct message *message);
/* All that have come, oldest first; NULL: none. */
struct message *mailbox_take(struct mailbox *mailbox);

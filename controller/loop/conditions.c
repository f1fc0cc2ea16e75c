/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/loop/conditions.h"

#include <string.h>

#include "controller/base/io.h"
#include "controller/base/str.h"
#include "controller/loop/hash.h"

enum {
	REOPEN_MS = 60 * 1000,
	EVENTS_KEPT = 20000,
	TRIM_EVERY = 1000, /* events */
};

struct conditions {
	char *dir;
	const struct logger *log;
	struct state *state; /* NULL: could not be opened */
	int64_t opened_ms;   /* when that was tried last */
	bool failing;
	/* "PROJECT RESOURCE TYPE" -> hash of what stands in the state; 0: something does. */
	json_t *written;
	unsigned events; /* since the last trim */
};

static void note_failure(struct conditions *c, const struct error *err)
{
	if (!c->failing)
		log_error(c->log, "%s; reconciling goes on without a record of it", err->text);
	c->failing = true;
}

static void note_success(struct conditions *c)
{
	if (c->failing)
		log_info(c->log, "the state can be written again");
	c->failing = false;
}

static bool is_open(struct conditions *c)
{
	struct error err = ERROR_INIT;
	int64_t now_ms = io_now_ms();

	/* Moved away because it is damaged, say: from here on everything is news. */
	if (c->state && !state_is_there(c->state)) {
		state_close(c->state);
		c->state = NULL;
		c->opened_ms = 0;
		json_object_clear(c->written);
	}
	if (c->state)
		return true;
	if (c->opened_ms && now_ms - c->opened_ms < REOPEN_MS)
		return false;
	c->opened_ms = now_ms;
	if (state_open(c->dir, false, &c->state, &err) == 0)
		return true;
	c->state = NULL;
	note_failure(c, &err);
	return false;
}

static struct conditions *allocate(const char *dir, const struct logger *log)
{
	struct conditions *c = xcalloc(1, sizeof(*c));

	c->dir = xstrdup(dir);
	c->log = log;
	c->written = json_object();
	return c;
}

struct conditions *conditions_new(const char *dir, const struct logger *log)
{
	struct conditions *c = allocate(dir, log);

	is_open(c);
	return c;
}

struct conditions *conditions_try(const char *dir, const struct logger *log)
{
	struct error ignored = ERROR_INIT;
	struct state *state = NULL;

	if (state_open(dir, false, &state, &ignored) < 0)
		return NULL;
	struct conditions *c = allocate(dir, log);
	c->state = state;
	return c;
}

void conditions_free(struct conditions *c)
{
	if (!c)
		return;
	state_close(c->state);
	json_decref(c->written);
	free(c->dir);
	free(c);
}

static char *key_of(const char *project, const char *resource, const char *type)
{
	return xasprintf("%s %s %s", project, resource, type);
}

static const char *text_of(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

json_t *conditions_read(struct conditions *c, const char *project)
{
	struct error err = ERROR_INIT;
	json_t *rows = NULL, *row;
	size_t i;

	if (!is_open(c) || state_conditions(c->state, project, NULL, &rows, &err) < 0)
		return NULL;
	/* It is known to be there, not what it says: the next report writes it. */
	json_array_foreach (rows, i, row) {
		CLEANUP(cleanup_free)
		char *key = key_of(project, text_of(row, "resource"), text_of(row, "type"));
		json_object_set_new(c->written, key, json_integer(0));
	}
	return rows;
}

struct draft {
	const struct report *report;
	int64_t time_ms;
	bool dry; /* only sees whether there is news */
	bool news;
	json_t *written; /* what is to be remembered once the transaction is through */
};

static int put(struct conditions *c, struct draft *draft, const char *resource, const char *type,
	       const char *status, const char *reason, const char *message, const char *digest,
	       struct error *err)
{
	const struct report *report = draft->report;
	CLEANUP(cleanup_free) char *key = key_of(report->project, resource, type);
	struct state_condition condition = {
		.project = report->project,
		.resource = resource,
		.type = type,
		.status = status,
		.reason = reason,
		.message = message,
		.revision = report->revision,
		.digest = digest,
		.time_ms = draft->time_ms,
	};
	uint64_t hash = HASH_INIT;

	hash = hash_text(hash_text(hash_text(hash, status), reason), message);
	hash = hash_text(hash_text(hash, report->revision), digest);
	json_int_t value = (json_int_t)(hash >> 1);
	const json_t *before = json_object_get(c->written, key);
	if (before && json_integer_value(before) == value)
		return 0;
	draft->news = true;
	if (draft->dry)
		return 0;
	json_object_set_new(draft->written, key, json_integer(value));
	return state_put_condition(c->state, &condition, err);
}

/* False conditions that were never true are left out. */
static int put_abnormal(struct conditions *c, struct draft *draft, const char *resource,
			const char *type, bool is, const struct report_row *row, struct error *err)
{
	CLEANUP(cleanup_free) char *key = key_of(draft->report->project, resource, type);

	if (!is && !json_object_get(c->written, key))
		return 0;
	return put(c, draft, resource, type, is ? "True" : "False", is ? row->reason : "InStep",
		   is ? row->message : "", row->digest, err);
}

static int put_row(struct conditions *c, struct draft *draft, const char *resource,
		   const struct report_row *row, struct error *err)
{
	static const char *const ready[] = {
		[ROW_IN_STEP] = "True", [ROW_DONE] = "True",	 [ROW_PENDING] = "False",
		[ROW_FAILED] = "False", [ROW_STALLED] = "False", [ROW_UNKNOWN] = "Unknown",
		[ROW_GONE] = "False",
	};
	bool busy = row->state == ROW_PENDING || row->state == ROW_FAILED;
	bool done = row->state == ROW_DONE;

	if (put(c, draft, resource, "Ready", ready[row->state], done ? "InStep" : row->reason,
		done ? "" : row->message, row->digest, err) < 0 ||
	    put_abnormal(c, draft, resource, "Reconciling", busy, row, err) < 0)
		return -1;
	/* Of a host that can't be asked nobody knows whether it still is. */
	if (row->state == ROW_UNKNOWN)
		return 0;
	return put_abnormal(c, draft, resource, "Stalled", row->state == ROW_STALLED, row, err);
}

static int put_history(struct conditions *c, struct draft *draft, const char *resource,
		       const struct report_row *row, struct error *err)
{
	struct state_event event = {
		.project = draft->report->project,
		.resource = resource,
		.revision = draft->report->revision,
		.action = row->action,
		.outcome = outcome_name(row->outcome),
		.message = row->message,
		.time_ms = draft->time_ms,
		.duration_ms = row->duration_ms,
	};

	draft->news = true;
	if (draft->dry)
		return 0;
	c->events++;
	return state_put_event(c->state, &event, err);
}

static const char *host_reason(const struct error *err)
{
	switch (err->code) {
	case ERROR_NONE:
		return "Reachable";
	case ERROR_UNREACHABLE:
		return "Unreachable";
	case ERROR_TIMEOUT:
		return "TimedOut";
	case ERROR_DENIED:
		return "AccessDenied";
	case ERROR_REFUSED:
		return "Refused";
	case ERROR_CONFLICT:
		return "Held";
	default:
		return "NotPlanned";
	}
}

static int put_all(struct conditions *c, struct draft *draft, struct error *err)
{
	const struct report *report = draft->report;
	CLEANUP(cleanup_free) char *host = xasprintf("Host/%s", report->host);
	bool failed = report->err.code != ERROR_NONE;

	if (put(c, draft, host, "Ready", failed ? "False" : "True", host_reason(&report->err),
		failed ? report->err.text : "", "", err) < 0)
		return -1;
	VEC_FOREACH (const struct report_row *, row, &report->rows) {
		CLEANUP(cleanup_free)
		char *resource = xasprintf("%s@%s", row->resource, report->host);

		if (row->state != ROW_GONE && put_row(c, draft, resource, row, err) < 0)
			return -1;
		if (row->action && put_history(c, draft, resource, row, err) < 0)
			return -1;
	}
	return 0;
}

static void trim(struct conditions *c)
{
	struct error err = ERROR_INIT;

	if (c->events < TRIM_EVERY)
		return;
	c->events = 0;
	if (state_trim(c->state, EVENTS_KEPT, &err) < 0)
		note_failure(c, &err);
}

void conditions_record(struct conditions *c, const struct report *report, int64_t time_ms)
{
	struct draft draft = { .report = report, .time_ms = time_ms, .dry = true };
	struct error err = ERROR_INIT;

	if (!is_open(c) || put_all(c, &draft, &err) < 0 || !draft.news)
		return;
	draft.dry = false;
	draft.written = json_object();
	if (state_begin(c->state, &err) < 0) {
		note_failure(c, &err);
	} else if (put_all(c, &draft, &err) < 0) {
		state_rollback(c->state);
		note_failure(c, &err);
	} else if (state_commit(c->state, &err) < 0) {
		note_failure(c, &err);
	} else {
		json_object_update(c->written, draft.written);
		note_success(c);
		trim(c);
	}
	json_decref(draft.written);
}

/* What is known of a host's rows is no longer relied on: the next report writes them all. */
static void doubt(struct conditions *c, const char *project, const char *host)
{
	CLEANUP(cleanup_free) char *head = xasprintf("%s ", project);
	CLEANUP(cleanup_free) char *tail = xasprintf("@%s ", host);
	const char *key;
	json_t *value;

	json_object_foreach (c->written, key, value)
		if (str_has_prefix(key, head) && strstr(key, tail))
			json_integer_set(value, 0);
}

void conditions_prune(struct conditions *c, const char *project, const char *host,
		      const json_t *keep)
{
	struct error err = ERROR_INIT;

	doubt(c, project, host);
	if (is_open(c) && state_prune_conditions(c->state, project, host, keep, &err) < 0)
		note_failure(c, &err);
}

void conditions_put_revision(struct conditions *c, const struct state_revision *revision)
{
	struct error err = ERROR_INIT;

	if (is_open(c) && state_put_revision(c->state, revision, &err) < 0)
		note_failure(c, &err);
}

void conditions_put_journal(struct conditions *c, const char *project, const char *resource,
			    const char *step, int64_t time_ms)
{
	struct error err = ERROR_INIT;

	if (is_open(c) && state_put_journal(c->state, project, resource, step, time_ms, &err) < 0)
		note_failure(c, &err);
}

void conditions_put_backup(struct conditions *c, const json_t *record)
{
	struct error err = ERROR_INIT;

	if (is_open(c) && state_put_backup(c->state, record, &err) < 0)
		note_failure(c, &err);
}

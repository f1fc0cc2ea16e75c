/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which manifests are in force, and how far the hosts have come with them. */
#include <string.h>
#include <time.h>

#include "controller/base/io.h"
#include "controller/base/str.h"
#include "controller/loop/loop_internal.h"

enum {
	FAULTS_LOGGED = 20,
	NAMES_CEILING = 512,
	TORN_MAX = 3, /* in a directory that never rests: better a guess than nothing */
};

int64_t manifests_time_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- revisions */

static void put_revision(struct loop *loop, const char *id, const char *digest, const char *subject,
			 const char *status, const char *message)
{
	struct state_revision revision = {
		.project = loop->set ? set_project(loop->set) : "default",
		.revision = id,
		.digest = digest,
		.subject = subject,
		.status = status,
		.message = message,
		.time_ms = manifests_time_ms(),
	};

	conditions_put_revision(loop->conditions, &revision);
}

static void set_status(struct loop *loop, const char *status, const char *message)
{
	char *said = xasprintf("%s %s", status, message ? message : "");

	if (str_eq(said, loop->status)) {
		free(said);
		return;
	}
	free(loop->status);
	loop->status = said;
	put_revision(loop, loop->revision, set_digest(loop->set), loop->subject, status, message);
}

void manifests_judge(struct loop *loop)
{
	size_t in_step = 0, trouble = 0, waiting = 0;
	CLEANUP(cleanup_free) char *message = NULL;
	struct str names;

	if (!loop->set)
		return;
	str_init(&names, NAMES_CEILING);
	for (size_t i = 0; i < loop->hosts.count; i++) {
		const struct loop_host *host = loop->hosts.items[i];

		if (host->generation != loop->generation) {
			waiting++;
		} else if (host->in_step) {
			in_step++;
		} else {
			trouble++;
			str_printf(&names, "%s%s", names.len ? ", " : "", host->name);
		}
	}
	if (trouble)
		message = xasprintf("out of step: %s%s", names.data, names.overflow ? ", ..." : "");
	str_done(&names);
	if (waiting)
		set_status(loop, "pending", NULL);
	else if (trouble)
		set_status(loop, in_step ? "partial" : "failed", message);
	else
		set_status(loop, "applied", NULL);
}

/* --- faults */

static void log_faults(struct loop *loop, const struct diagnostics *diagnostics)
{
	size_t shown = 0;

	VEC_FOREACH (const struct diagnostic *, d, &diagnostics->list) {
		bool error = d->severity == SEVERITY_ERROR;

		if (shown++ == FAULTS_LOGGED)
			break;
		log_write(loop->log, error ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "%s:%u:%u: %s",
			  d->place.file ? d->place.file : "", d->place.line, d->place.column,
			  d->text);
	}
	size_t all = diagnostics->errors + diagnostics->warnings;
	if (all > FAULTS_LOGGED)
		log_error(loop->log, "and %zu more; drey validate shows them all",
			  all - FAULTS_LOGGED);
}

static char *first_fault(const struct diagnostics *diagnostics, const struct error *err)
{
	VEC_FOREACH (const struct diagnostic *, d, &diagnostics->list)
		if (d->severity == SEVERITY_ERROR)
			return xasprintf("%s:%u:%u: %s", d->place.file ? d->place.file : "",
					 d->place.line, d->place.column, d->text);
	return xstrdup(err->text);
}

/* Said once, however often the same is found again. */
static void refuse(struct loop *loop, const struct diagnostics *diagnostics,
		   const struct error *err)
{
	CLEANUP(cleanup_free) char *first = first_fault(diagnostics, err);
	CLEANUP(cleanup_free) char *id = NULL;
	CLEANUP(cleanup_free) char *subject = NULL;
	struct str text;

	str_init(&text, 0);
	diagnostics_print(diagnostics, &text);
	str_append(&text, err->text);
	char *faults = str_take(&text);
	if (str_eq(faults, loop->faults)) {
		free(faults);
		return;
	}
	free(loop->faults);
	loop->faults = faults;
	if (diagnostics->errors)
		log_faults(loop, diagnostics);
	else
		log_error(loop->log, "%s", err->text);
	loop->options.read_revision(loop->options.dir, "", &id, &subject);
	log_error(loop->log, "the manifests can't be used; %s dir=%s",
		  loop->set ? "what was loaded last stays in force"
			    : "nothing is done until they are mended",
		  loop->options.dir);
	/* Without a commit there is no name for what could not be read. */
	put_revision(loop, str_has_prefix(id, "sha256:") ? "(unreadable)" : id, "", subject,
		     "invalid", first);
}

/* --- loading */

static int load_set(struct loop *loop, const struct manifest_options *options,
		    struct diagnostics *diagnostics, struct manifest_set **ret_set,
		    struct error *err)
{
	struct manifest_set *set;

	if (set_load(options, diagnostics, &set, err) < 0)
		return -1;
	if (set_is_local(set) && !loop->options.local) {
		set_unref(set);
		return error_set(err, ERROR_REFUSED,
				 "the manifests name no host, so the engine of this machine would "
				 "be used; say --local where that is meant, or add a Project and a "
				 "Host");
	}
	*ret_set = set;
	return 0;
}

/* Half of one commit and half of another may well hold, and lack what neither of them lacks. */
static bool is_torn(struct loop *loop)
{
	if (!watch_has_moved(loop->watch, io_now_ms()) || loop->torn == TORN_MAX) {
		loop->torn = 0;
		return false;
	}
	loop->torn++;
	log_info(loop->log, "the manifests changed while they were read, reading them again dir=%s",
		 loop->options.dir);
	return true;
}

/* NULL: what is there can't be used, or not yet. */
static struct manifest_set *load(struct loop *loop)
{
	struct manifest_options options = { .dir = loop->options.dir,
					    .version = loop->options.version };
	CLEANUP(cleanup_arena) struct arena *arena = arena_new();
	struct manifest_set *set = NULL;
	struct diagnostics diagnostics;
	struct error err = ERROR_INIT;

	options.kinds = kinds_all(&options.kind_count);
	diagnostics_init(&diagnostics, arena);
	int rc = load_set(loop, &options, &diagnostics, &set, &err);
	if (is_torn(loop)) {
		set_unref(set);
		return NULL;
	}
	if (rc < 0) {
		refuse(loop, &diagnostics, &err);
	} else {
		if (diagnostics.warnings &&
		    (!loop->set || !str_eq(set_digest(set), set_digest(loop->set))))
			log_faults(loop, &diagnostics);
		if (loop->faults) {
			log_info(loop->log, "the manifests are fine again dir=%s",
				 loop->options.dir);
			/* Recorded last is "invalid". */
			free(TAKE(loop->status));
		}
		free(loop->faults);
		loop->faults = NULL;
	}
	diagnostics_done(&diagnostics);
	loop->rest_at_ms = io_now_ms() + LOOP_REST_MS;
	return set;
}

/* "Container/web@h1" and "Host/h1" -> "h1"; NULL: of no host. */
static const char *host_of(const char *resource)
{
	const char *at = strrchr(resource, '@');

	if (at)
		return at + 1;
	return str_has_prefix(resource, "Host/") ? resource + strlen("Host/") : NULL;
}

static struct loop_host *find_host(const struct loop *loop, const char *name)
{
	for (size_t i = 0; i < loop->hosts.count; i++)
		if (str_eq(loop->hosts.items[i]->name, name))
			return loop->hosts.items[i];
	return NULL;
}

static const char *text_of(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

/* What an earlier life of the controller has given up is not tried again for a restart, and
 * hosts that left the manifests meanwhile leave the state. Before any look. */
static void restore(struct loop *loop)
{
	json_t *rows = conditions_read(loop->conditions, set_project(loop->set));
	json_t *none = json_array(), *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		const char *resource = text_of(row, "resource"), *name = host_of(resource);
		struct loop_host *host = name ? find_host(loop, name) : NULL;

		if (name && !host) {
			conditions_prune(loop->conditions, set_project(loop->set), name, none);
		} else if (host && !host->running && str_eq(text_of(row, "type"), "Stalled") &&
			   str_eq(text_of(row, "status"), "True") &&
			   str_eq(text_of(row, "reason"), "ReplaceFailed")) {
			CLEANUP(cleanup_free)
			char *plain = xstrndup(resource, strcspn(resource, "@"));
			stall_restore(host->look.stall, plain, text_of(row, "digest"),
				      "ReplaceFailed", text_of(row, "message"));
		}
	}
	json_decref(none);
	json_decref(rows);
}

static void note_revision(struct loop *loop)
{
	free(loop->revision);
	free(loop->subject);
	loop->options.read_revision(loop->options.dir, set_digest(loop->set), &loop->revision,
				    &loop->subject);
}

static void take_over(struct loop *loop, struct manifest_set *set)
{
	struct manifest_set *before = loop->set;
	bool new_project = !before || !str_eq(set_project(before), set_project(set));

	loop->set = set;
	loop->generation++;
	note_revision(loop);
	free(TAKE(loop->status));
	log_info(loop->log, "manifests loaded project=%s revision=%s hosts=%zu", set_project(set),
		 loop->revision, set_host_count(set));
	hosts_update(loop);
	if (new_project)
		restore(loop);
	for (size_t i = 0; i < loop->hosts.count; i++)
		if (!loop->hosts.items[i]->retiring && before)
			queue_hurry(loop->queue, loop->hosts.items[i]->name, io_now_ms());
	manifests_judge(loop);
	set_unref(before);
}

/* The same manifests: a commit that changes none of them is worth a line of history, and values
 * of secrets and host settings may be others. */
static void take_quietly(struct loop *loop, struct manifest_set *set)
{
	CLEANUP(cleanup_free) char *revision = xstrdup(loop->revision);
	struct manifest_set *before = loop->set;

	loop->set = set;
	note_revision(loop);
	hosts_update(loop);
	if (!str_eq(revision, loop->revision)) {
		log_info(loop->log, "revision changes no manifest revision=%s", loop->revision);
		free(TAKE(loop->status));
	}
	manifests_judge(loop);
	set_unref(before);
}

static void schedule_refresh(struct loop *loop)
{
	loop->reload_at_ms = io_now_ms() + backoff_jitter(&loop->chance, loop->options.interval_ms);
}

void manifests_load(struct loop *loop)
{
	struct manifest_set *set = load(loop);
	bool forced = loop->forced;

	schedule_refresh(loop);
	if (loop->torn)
		return;
	loop->forced = false;
	if (!set)
		return;
	if (!forced && loop->set && str_eq(set_digest(set), set_digest(loop->set)))
		take_quietly(loop, set);
	else
		take_over(loop, set);
}

void manifests_refresh(struct loop *loop)
{
	schedule_refresh(loop);
	watch_ask(loop->watch, io_now_ms());
}

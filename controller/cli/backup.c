/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey backup run|list|restore. */
#include "controller/backup/backup.h"
#include "controller/base/mem.h"
#include "controller/cli/load.h"
#include "controller/cli/option_rows.h"
#include "controller/cli/output.h"
#include "controller/cli/record.h"
#include "controller/cli/session.h"
#include "controller/state/lock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HOLD_WAIT_MS = 60 * 1000 };

/* What an argument names: a Backup with all its volumes, or one Volume. */
struct selection {
	const struct resource *backup;
	const char *volume; /* NULL: all of the Backup */
};

static int select_backup(const struct manifest_set *set, const char *argument,
			 struct selection *ret_selection, struct error *err)
{
	const char *name = strchr(argument, '/');
	const char *slash = name;

	name = name ? name + 1 : argument;
	bool volume_only = slash && strncmp(argument, "Volume/", 7) == 0;
	const struct resource *backup = volume_only ? NULL : set_find(set, "Backup", name);
	if (backup) {
		*ret_selection = (struct selection){ .backup = backup };
		return 0;
	}
	backup = backup_of_volume(set, name);
	if (!backup)
		return error_set(err, ERROR_INVALID,
				 "'%s' is neither a Backup nor a volume that a Backup lists",
				 argument);
	*ret_selection = (struct selection){ .backup = backup, .volume = name };
	return 0;
}

static json_t *volumes_of(const struct selection *selection)
{
	if (selection->volume)
		return json_pack("[s]", selection->volume);
	return json_copy((json_t *)resource_get(selection->backup, "volumes"));
}

static void print_record(const json_t *record)
{
	const char *id = "", *volume = "", *host = "";
	json_int_t files = 0, bytes = 0, stored = 0;

	json_unpack((json_t *)record, "{s:s, s:s, s:s, s:I, s:I, s:I}", "id", &id, "volume",
		    &volume, "host", &host, "files", &files, "file_bytes", &bytes, "stored_bytes",
		    &stored);
	printf("%s  Volume/%s@%s  %lld file%s, %lld bytes, %lld stored\n", id, volume, host,
	       (long long)files, files == 1 ? "" : "s", (long long)bytes, (long long)stored);
}

/* Takes the document over. */
static int report(const struct context *context, json_t *document, int code)
{
	if (context->options.output == OUTPUT_JSON) {
		json_object_set_new(document, "exit", json_integer(code));
		output_json(document);
	} else {
		json_decref(document);
	}
	return code;
}

/* --- run --- */

/* Filled on the hosts' threads, told by the command's own. */
struct host_backups {
	json_t *records, *failures;
};

struct run_job {
	struct session *session;
	const struct selection *selection;
	struct host_backups *hosts; /* one for each visit */
};

static size_t index_of(const struct session *session, const struct visit *visit)
{
	size_t i = 0;

	while (fleet_visit(session->fleet, i) != visit)
		i++;
	return i;
}

static void back_up_volumes(const struct run_job *job, struct visit *visit,
			    struct host_backups *out)
{
	json_t *volumes = volumes_of(job->selection);
	struct error err = ERROR_INIT;
	const json_t *name;
	size_t i;

	json_array_foreach (volumes, i, name) {
		const char *volume = json_string_value(name);
		json_t *record = NULL;

		if (!desired_find(visit->pass.desired, "Volume", volume))
			continue;
		error_clear(&err);
		if (backup_volume(&visit->pass, job->selection->backup, volume, NULL, &record,
				  &err) < 0)
			json_array_append_new(out->failures, output_error(&err));
		else
			json_array_append_new(out->records, record);
		if (err.code == ERROR_CANCELLED)
			break;
	}
	json_decref(volumes);
}

static void run_on_host(void *ctx, struct visit *visit)
{
	struct run_job *job = ctx;
	struct host_backups *out = &job->hosts[index_of(job->session, visit)];
	CLEANUP(cleanup_close) int hold = -1;
	struct error err = ERROR_INIT;

	/* The controller would start again what is stopped for the backup. Who had the lock may
	 * have moved users to another generation: looked at again. */
	if (lock_take_host(job->session->state_dir, visit->host->name, true, HOLD_WAIT_MS, &hold,
			   &err) < 0 ||
	    visit_begin_change(visit, &err) < 0) {
		json_array_append_new(out->failures, output_error(&err));
		return;
	}
	if (pass_observe(&visit->pass, &err) < 0)
		json_array_append_new(out->failures, output_error(&err));
	else
		back_up_volumes(job, visit, out);
	visit_end_change(visit);
}

static void add_failure(json_t *failures, const char *host, json_t *error)
{
	json_array_append_new(failures, json_pack("{s:s, s:o}", "host", host, "error", error));
}

/* Takes the hosts' results over. */
static int tell_host(const struct session *session, size_t index, struct host_backups *host,
		     json_t *records, json_t *failures)
{
	const char *name = fleet_visit(session->fleet, index)->host->name;
	bool human = session->context->options.output == OUTPUT_HUMAN;
	json_t *item;
	size_t i;

	json_array_foreach (host->failures, i, item) {
		if (human)
			fprintf(stderr, "drey: %s: %s\n", name,
				json_string_value(json_object_get(item, "message")));
		add_failure(failures, name, json_incref(item));
	}
	json_array_foreach (host->records, i, item)
		if (human)
			print_record(item);
	int code = json_array_size(host->failures) > 0 ? EXIT_PARTIAL : EXIT_IN_STEP;
	json_array_extend(records, host->records);
	json_decref(host->failures);
	json_decref(host->records);
	return code;
}

static int run_all(struct session *session, const struct selection *selection, json_t *records,
		   json_t *failures)
{
	size_t count = fleet_count(session->fleet);
	CLEANUP(cleanup_free) struct host_backups *hosts = xcalloc(count, sizeof(*hosts));
	struct run_job job = { .session = session, .selection = selection, .hosts = hosts };

	for (size_t i = 0; i < count; i++)
		hosts[i] = (struct host_backups){ json_array(), json_array() };
	int code = session_run(session, run_on_host, &job);
	for (size_t i = 0; i < count; i++)
		code = exit_worst(code, tell_host(session, i, &hosts[i], records, failures));
	return code;
}

static void tell_unplanned(const struct session *session, json_t *failures)
{
	if (session->context->options.output == OUTPUT_HUMAN)
		session_print_failures(session);
	for (size_t i = 0; i < fleet_count(session->fleet); i++) {
		const struct visit *visit = fleet_visit(session->fleet, i);

		if (!visit->planned)
			add_failure(failures, visit->host->name, output_error(&visit->err));
	}
}

static int run_run(struct context *context)
{
	struct fleet_options preset = { .no_prune = true };
	struct selection selection;
	struct session session;
	struct error err = ERROR_INIT;

	int code = session_start(&session, context, &preset);
	if (code != EXIT_IN_STEP)
		return code;
	if (select_backup(session.set, context->options.args[0], &selection, &err) < 0) {
		session_done(&session);
		return command_fail(context, EXIT_USAGE, &err);
	}
	json_t *document = output_document(context);
	json_t *records = json_array(), *failures = json_array();
	json_object_set_new(document, "backups", records);
	json_object_set_new(document, "failures", failures);
	session_plan(&session);
	tell_unplanned(&session, failures);
	code = session_exit(&session);
	if (code != EXIT_INTERRUPTED)
		code = exit_worst(code, run_all(&session, &selection, records, failures));
	record_backups(&session, records);
	bool none = code == EXIT_IN_STEP && json_array_size(records) == 0;
	session_done(&session);
	if (!none)
		return report(context, document, code);
	json_decref(document);
	error_set(&err, ERROR_INVALID, "no host that was asked has such a volume");
	return command_fail(context, EXIT_USAGE, &err);
}

/* --- list --- */

static void add_rows(const struct manifest_set *set, const struct resource *backup,
		     const char *host, const char *volume, json_t *rows, size_t *damaged)
{
	size_t bad;
	json_t *records = backup_records(set, backup, host, volume, &bad);

	json_array_extend(rows, records);
	json_decref(records);
	*damaged += bad;
}

static json_t *list_records(const struct manifest_set *set, const struct selection *selection,
			    const struct resource *const *hosts, size_t host_count,
			    size_t *ret_damaged)
{
	json_t *rows = json_array();
	json_t *volumes = volumes_of(selection);
	const json_t *volume;
	size_t i;

	json_array_foreach (volumes, i, volume)
		for (size_t j = 0; j < host_count; j++)
			add_rows(set, selection->backup, hosts[j]->name, json_string_value(volume),
				 rows, ret_damaged);
	json_decref(volumes);
	return rows;
}

static int list_all(struct context *context, const struct manifest_set *set, json_t *rows,
		    size_t *damaged, struct error *err)
{
	const struct resource **hosts;
	size_t host_count;

	if (load_hosts(context, set, &hosts, &host_count, err) < 0)
		return -1;
	for (size_t i = 0; i < set_count(set, "Backup"); i++) {
		struct selection selection = { .backup = set_at(set, "Backup", i) };
		bool named = context->options.arg_count > 0;

		if (named && select_backup(set, context->options.args[0], &selection, err) < 0)
			return -1;
		json_t *found = list_records(set, &selection, hosts, host_count, damaged);
		json_array_extend(rows, found);
		json_decref(found);
		if (named)
			break;
	}
	return 0;
}

static int run_list(struct context *context)
{
	struct manifest_set *set;
	struct error err = ERROR_INIT;
	size_t damaged = 0, i;
	const json_t *row;

	int code = load_manifests(context, &set);
	if (code != EXIT_IN_STEP)
		return code;
	json_t *rows = json_array();
	if (list_all(context, set, rows, &damaged, &err) < 0) {
		set_unref(set);
		json_decref(rows);
		return command_fail(context, EXIT_USAGE, &err);
	}
	set_unref(set);
	if (context->options.output == OUTPUT_HUMAN)
		json_array_foreach (rows, i, row)
			print_record(row);
	json_t *document = output_document(context);
	json_object_set_new(document, "backups", rows);
	if (damaged)
		fprintf(stderr, "drey: warning: %zu record%s can't be read and %s left out\n",
			damaged, damaged == 1 ? "" : "s", damaged == 1 ? "is" : "are");
	return report(context, document, EXIT_IN_STEP);
}

/* --- restore --- */

static json_t *pick_record(const struct session *session, const struct selection *selection,
			   const struct visit *visit, struct error *err)
{
	const char *from = session->context->options.from;
	size_t damaged, i;
	json_t *records = backup_records(session->set, selection->backup, visit->host->name,
					 selection->volume, &damaged);
	json_t *record, *found = NULL;

	json_array_foreach (records, i, record) {
		const char *id = json_string_value(json_object_get(record, "id"));

		if (from && strcmp(from, id) != 0)
			continue;
		found = json_incref(record);
		break;
	}
	json_decref(records);
	if (!found && from)
		error_set(err, ERROR_NOT_FOUND,
			  "Volume/%s@%s has no backup %s; see `drey backup list`",
			  selection->volume, visit->host->name, from);
	else if (!found)
		error_set(err, ERROR_NOT_FOUND, "Volume/%s@%s has no backup", selection->volume,
			  visit->host->name);
	return found;
}

static int confirm_restore(struct session *session, const json_t *record)
{
	CLEANUP(cleanup_free)
	char *question = xasprintf(
		"Restore %s into a new generation of Volume/%s@%s and move its users over?",
		json_string_value(json_object_get(record, "id")),
		json_string_value(json_object_get(record, "volume")),
		json_string_value(json_object_get(record, "host")));

	return session_confirm(session, question);
}

/* The one host that is meant: the only one that has the volume, or the one --host names. */
static struct visit *visit_of(struct session *session, const char *volume, struct error *err)
{
	struct visit *found = NULL;

	for (size_t i = 0; i < fleet_count(session->fleet); i++) {
		struct visit *visit = fleet_visit(session->fleet, i);
		const struct desired *desired = set_desired(session->set, visit->host->name);

		if (!desired || !desired_find(desired, "Volume", volume))
			continue;
		if (found) {
			error_set(err, ERROR_INVALID,
				  "Volume/%s is on several hosts; say which with --host", volume);
			return NULL;
		}
		found = visit;
	}
	if (!found)
		error_set(err, ERROR_INVALID, "no host that was asked has Volume/%s", volume);
	return found;
}

/* The users are moved by an ordinary apply of that host: the new generation is what the name now
 * means, and whoever mounts the old one is out of step. */
static int move_users(struct context *context, const struct selection *selection, int lock,
		      json_t *document)
{
	struct fleet_options preset = { .write = true,
					.no_prune = true,
					.plan.users_of = selection->volume,
					.backup = backup_before_change };
	struct session session;
	int code = session_start(&session, context, &preset);

	if (code != EXIT_IN_STEP) {
		close(lock);
		return code;
	}
	session.lock = lock;
	session_plan(&session);
	session_print_failures(&session);
	code = session_execute(&session);
	json_object_set_new(document, "results", session_results_json(&session));
	session_done(&session);
	return code;
}

/* Run on the host's thread. */
struct restore_job {
	const struct visit *visit; /* the one that is meant */
	const struct selection *selection;
	const json_t *record;
	const char *generation; /* NULL until it was restored */
	struct error *err;
};

static void restore_on_host(void *ctx, struct visit *visit)
{
	struct restore_job *job = ctx;
	const char *volume = job->selection->volume;

	if (visit != job->visit || visit_begin_change(visit, job->err) < 0)
		return;
	/* Another drey may have had the lease since it was looked at. */
	if (pass_observe(&visit->pass, job->err) < 0 ||
	    backup_restore(&visit->pass, job->selection->backup,
			   desired_find(visit->pass.desired, "Volume", volume), job->record,
			   &job->generation, job->err) < 0)
		job->generation = NULL;
	visit_end_change(visit);
}

static int restore_record(struct session *session, const struct selection *selection,
			  struct visit *visit, const json_t *record, json_t *rows,
			  struct error *err)
{
	struct restore_job job = {
		.visit = visit, .selection = selection, .record = record, .err = err
	};
	int code = confirm_restore(session, record);

	if (code != EXIT_IN_STEP)
		return code;
	code = session_run(session, restore_on_host, &job);
	if (!job.generation)
		return exit_worst(code, EXIT_PARTIAL);
	json_array_append_new(rows,
			      json_pack("{s:O, s:s, s:s, s:s}", "id", json_object_get(record, "id"),
					"volume", selection->volume, "host", visit->host->name,
					"engine_volume", job.generation));
	if (session->context->options.output == OUTPUT_HUMAN)
		printf("%s: Volume/%s: restored into %s, every file compared\n", visit->host->name,
		       selection->volume, job.generation);
	return code;
}

static int restore_one(struct session *session, const struct selection *selection, json_t *rows,
		       struct error *err)
{
	struct visit *visit = visit_of(session, selection->volume, err);

	if (!visit)
		return EXIT_USAGE;
	if (!visit->planned) {
		*err = visit->err;
		return exit_worst(session_exit(session), EXIT_PARTIAL);
	}
	json_t *record = pick_record(session, selection, visit, err);
	if (!record)
		return EXIT_USAGE;
	int code = restore_record(session, selection, visit, record, rows, err);
	json_decref(record);
	return code;
}

/* On failure *err says why, or all has been said, or it was interrupted. */
static int restore(struct session *session, struct selection *selection, json_t *rows,
		   struct error *err)
{
	if (select_backup(session->set, session->context->options.args[0], selection, err) < 0)
		return EXIT_USAGE;
	if (!selection->volume) {
		error_set(err, ERROR_INVALID,
			  "'%s' is a Backup; name the volume to restore, such as Volume/%s",
			  session->context->options.args[0],
			  json_string_value(
				  json_array_get(resource_get(selection->backup, "volumes"), 0)));
		return EXIT_USAGE;
	}
	/* Before the volume is made: its users could not be moved beside another drey. */
	int code = session_lock(session);
	if (code != EXIT_IN_STEP)
		return code;
	session_plan(session);
	return restore_one(session, selection, rows, err);
}

static int run_restore(struct context *context)
{
	struct fleet_options preset = { .no_prune = true };
	struct selection selection;
	struct session session;
	struct error err = ERROR_INIT;

	int code = session_start(&session, context, &preset);
	if (code != EXIT_IN_STEP)
		return code;
	json_t *document = output_document(context), *rows = json_array();
	json_object_set_new(document, "restored", rows);
	code = restore(&session, &selection, rows, &err);
	bool said = code == EXIT_REFUSED && err.code == ERROR_NONE;
	/* The strings of the selection live in the set: keep it until the users are moved. */
	struct manifest_set *set = set_ref(session.set);
	int lock = session.lock;
	session.lock = -1;
	session_done(&session);
	if (code == EXIT_IN_STEP) {
		code = move_users(context, &selection, lock, document);
		said = !json_object_get(document, "results");
	} else if (lock >= 0) {
		close(lock);
	}
	set_unref(set);
	if (!said && err.code == ERROR_NONE)
		return report(context, document, code);
	json_decref(document);
	return said ? code : command_fail(context, code, &err);
}

static const struct option_row opt_from = {
	.name = "from",
	.type = OPTION_STRING,
	.offset = offsetof(struct options, from),
	.value = "ID",
	.doc = "Which backup to restore; the newest if not given.",
};

static const struct option_row *const run_options[] = {
	&opt_file,	   &opt_host,  &opt_host_selector, &opt_local, &opt_parallel,
	&opt_lock_timeout, &opt_state, &opt_output,	   NULL,
};
static const struct option_row *const list_options[] = {
	&opt_file, &opt_host, &opt_host_selector, &opt_output, NULL,
};
static const struct option_row *const restore_options[] = {
	&opt_file,	   &opt_host,  &opt_local,  &opt_from, &opt_yes,
	&opt_lock_timeout, &opt_state, &opt_output, NULL,
};

static const struct command backup_run = {
	.name = "backup run",
	.group = GROUP_FLEET,
	.usage = "[OPTION]... BACKUP|VOLUME",
	.summary = "Back volumes up now",
	.description = "Backs up all volumes of a Backup document, or one volume that a Backup "
		       "lists, on every host that has it. Its users are stopped, paused or left "
		       "running meanwhile, as the document says. The archive is read back and "
		       "every file in it gets its SHA-256 into a list beside it.",
	.options = run_options,
	.example = "drey backup run nightly\ndrey backup run Volume/data --host edge-1",
	.min_args = 1,
	.max_args = 1,
	.complete = "backup",
	.run = run_run,
};

static const struct command backup_list = {
	.name = "backup list",
	.group = GROUP_FLEET,
	.usage = "[OPTION]... [BACKUP|VOLUME]",
	.summary = "List the backups there are, newest first",
	.description = "Reads the directories that Backup documents name; contacts no host.",
	.options = list_options,
	.example = "drey backup list data",
	.max_args = 1,
	.complete = "backup",
	.run = run_list,
};

static const struct command backup_restore_command = {
	.name = "backup restore",
	.group = GROUP_FLEET,
	.usage = "[OPTION]... VOLUME",
	.summary = "Restore a volume into a new generation and move its users over",
	.description =
		"Fills a new volume (NAME.2, NAME.3 ...) from a backup, compares every file with "
		"the backup's list, and then replaces the containers that use the volume, so "
		"that they mount the new one. The old volume stays on the host, untouched, until "
		"`drey volume confirm`.",
	.options = restore_options,
	.example = "drey backup restore data --host edge-1 --from 20260131T235959Z-1a2b3c4d",
	.min_args = 1,
	.max_args = 1,
	.complete = "backup",
	.run = run_restore,
};

static const struct command *const backup_commands[] = { &backup_run, &backup_list,
							 &backup_restore_command, NULL };

const struct command command_backup = {
	.name = "backup",
	.group = GROUP_FLEET,
	.usage = "run|list|restore [OPTION]...",
	.summary = "Back volumes up and restore them",
	.description = "Copies volumes through the Engine API to a directory on the machine that "
		       "runs drey, and back. Nothing needs to be installed on the hosts.",
	.sub = backup_commands,
};

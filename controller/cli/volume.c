/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey volume confirm. */
#include "controller/backup/confirm.h"
#include "controller/base/mem.h"
#include "controller/cli/option_rows.h"
#include "controller/cli/output.h"
#include "controller/cli/session.h"

#include <stdio.h>
#include <string.h>

/* What is to go on one host. Filled on the command's thread, carried out on the host's. */
struct host_past {
	const struct resource *volume;
	const struct object **volumes;
	size_t count;
	json_t *removed, *failures;
};

struct confirm_job {
	struct session *session;
	struct host_past *hosts; /* one for each visit */
};

static size_t index_of(const struct session *session, const struct visit *visit)
{
	size_t i = 0;

	while (fleet_visit(session->fleet, i) != visit)
		i++;
	return i;
}

/* Among what is past now; NULL: it is not any more. */
static const struct object *find_again(const struct object *listed, const struct object **now,
				       size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (str_eq(now[i]->engine_name, listed->engine_name) &&
		    str_eq(now[i]->own.uid, listed->own.uid))
			return now[i];
	}
	return NULL;
}

static int remove_listed(struct visit *visit, const struct object *listed,
			 const struct object **now, size_t count, struct error *err)
{
	const struct object *volume = find_again(listed, now, count);

	if (!volume)
		return error_set(err, ERROR_CONFLICT,
				 "%s is not what it was when it was listed, and stays; run drey "
				 "again to see what is left",
				 listed->engine_name);
	return volume_remove_past(&visit->pass, volume, err);
}

static void confirm_on_host(void *ctx, struct visit *visit)
{
	struct confirm_job *job = ctx;
	struct host_past *past = &job->hosts[index_of(job->session, visit)];
	struct error failed = ERROR_INIT;
	const struct object **now;
	size_t count;

	if (past->count == 0)
		return;
	/* Another drey may have had the lease since it was looked at, and filled to its end what
	 * was half filled, or moved the users over. */
	if (visit_begin_change(visit, &failed) < 0 || pass_observe(&visit->pass, &failed) < 0) {
		json_array_append_new(past->failures, output_error(&failed));
		visit_end_change(visit);
		return;
	}
	now = volume_past(&visit->pass, past->volume, &count);
	for (size_t i = 0; i < past->count; i++) {
		const struct object *volume = past->volumes[i];
		struct error err = ERROR_INIT;

		if (remove_listed(visit, volume, now, count, &err) < 0)
			json_array_append_new(past->failures, output_error(&err));
		else
			json_array_append_new(
				past->removed,
				json_pack("{s:s, s:s, s:s}", "host", visit->host->name, "volume",
					  volume->own.name, "engine_volume", volume->engine_name));
	}
	visit_end_change(visit);
}

static const char *volume_name(const char *argument)
{
	static const char kind[] = "Volume/";

	return strncmp(argument, kind, strlen(kind)) == 0 ? argument + strlen(kind) : argument;
}

/* How many volumes are to go; -1: no host that was asked has such a Volume. */
static int gather(struct session *session, const char *name, struct host_past *hosts)
{
	bool human = session->context->options.output == OUTPUT_HUMAN, declared = false;
	int total = 0;

	for (size_t i = 0; i < fleet_count(session->fleet); i++) {
		struct visit *visit = fleet_visit(session->fleet, i);
		const struct desired *desired = set_desired(session->set, visit->host->name);
		const struct resource *volume =
			desired ? desired_find(desired, "Volume", name) : NULL;

		hosts[i] = (struct host_past){ .removed = json_array(), .failures = json_array() };
		declared = declared || volume;
		if (!volume || !visit->observed)
			continue;
		hosts[i].volume = volume;
		hosts[i].volumes = volume_past(&visit->pass, volume, &hosts[i].count);
		for (size_t j = 0; human && j < hosts[i].count; j++)
			printf("%s: %s will be removed, with its files\n", visit->host->name,
			       hosts[i].volumes[j]->engine_name);
		total += (int)hosts[i].count;
	}
	return declared ? total : -1;
}

static int tell(const struct session *session, struct host_past *hosts, json_t *document, int code)
{
	bool human = session->context->options.output == OUTPUT_HUMAN;
	json_t *removed = json_array(), *failures = json_array(), *item;
	size_t j;

	for (size_t i = 0; i < fleet_count(session->fleet); i++) {
		const char *host = fleet_visit(session->fleet, i)->host->name;

		json_array_foreach (hosts[i].removed, j, item)
			if (human)
				printf("%s: %s removed\n", host,
				       json_string_value(json_object_get(item, "engine_volume")));
		json_array_foreach (hosts[i].failures, j, item) {
			if (human)
				fprintf(stderr, "drey: %s: %s\n", host,
					json_string_value(json_object_get(item, "message")));
			json_array_append_new(failures,
					      json_pack("{s:s, s:O}", "host", host, "error", item));
			code = exit_worst(code, EXIT_PARTIAL);
		}
		json_array_extend(removed, hosts[i].removed);
		json_decref(hosts[i].removed);
		json_decref(hosts[i].failures);
	}
	json_object_set_new(document, "removed", removed);
	json_object_set_new(document, "failures", failures);
	return code;
}

static int confirm(struct session *session, const char *name, json_t *document, bool *ret_said,
		   struct error *err)
{
	CLEANUP(cleanup_free)
	struct host_past *hosts = xcalloc(fleet_count(session->fleet) + 1, sizeof(*hosts));
	struct confirm_job job = { .session = session, .hosts = hosts };
	int total, code;

	session_plan(session);
	if (session->context->options.output == OUTPUT_HUMAN)
		session_print_failures(session);
	code = session_exit(session);
	total = gather(session, name, hosts);
	if (total < 0) {
		error_set(err, ERROR_INVALID, "no host that was asked has Volume/%s", name);
		return exit_worst(tell(session, hosts, document, EXIT_IN_STEP), EXIT_USAGE);
	}
	if (total > 0 && code != EXIT_INTERRUPTED) {
		int answer = session_confirm(session, "Remove them for good?");

		*ret_said = answer != EXIT_IN_STEP;
		if (answer == EXIT_IN_STEP)
			answer = session_run(session, confirm_on_host, &job);
		code = exit_worst(code, answer);
	}
	return tell(session, hosts, document, code);
}

static int run_confirm(struct context *context)
{
	struct fleet_options preset = { .no_prune = true };
	struct session session;
	struct error err = ERROR_INIT;
	bool said = false;

	int code = session_start(&session, context, &preset);
	if (code != EXIT_IN_STEP)
		return code;
	/* Nobody moves users to another generation meanwhile. */
	code = session_lock(&session);
	if (code != EXIT_IN_STEP) {
		session_done(&session);
		return code;
	}
	json_t *document = output_document(context);
	code = confirm(&session, volume_name(context->options.args[0]), document, &said, &err);
	session_done(&session);
	if (err.code != ERROR_NONE)
		code = command_fail(context, code, &err);
	else if (!said && context->options.output == OUTPUT_JSON) {
		json_object_set_new(document, "exit", json_integer(code));
		output_json(document);
		return code;
	}
	json_decref(document);
	return code;
}

static const struct option_row *const confirm_options[] = {
	&opt_file,     &opt_host,	  &opt_host_selector, &opt_local,  &opt_yes,
	&opt_parallel, &opt_lock_timeout, &opt_state,	      &opt_output, NULL,
};

static const struct command volume_confirm = {
	.name = "volume confirm",
	.group = GROUP_FLEET,
	.usage = "[OPTION]... VOLUME",
	.summary = "Remove what a restore or a migration has left of a volume",
	.description =
		"After `drey backup restore`, and after a volume was replaced because its "
		"manifest says `on_change`, the volume that served before stays on the host. "
		"This removes it, and what an interrupted run has half filled, on every host "
		"that has the Volume; the volume that serves stays. A volume that a "
		"container still mounts is not removed.",
	.options = confirm_options,
	.example = "drey volume confirm data\ndrey volume confirm data --host edge-1 --yes",
	.min_args = 1,
	.max_args = 1,
	.run = run_confirm,
};

static const struct command *const volume_commands[] = { &volume_confirm, NULL };

const struct command command_volume = {
	.name = "volume",
	.group = GROUP_FLEET,
	.usage = "confirm [OPTION]... VOLUME",
	.summary = "Let go of what a restore or a migration has left of a volume",
	.description = "A restored or migrated volume is a new one on the engine; the one that "
		       "served before is kept until somebody says that it is not needed.",
	.sub = volume_commands,
};

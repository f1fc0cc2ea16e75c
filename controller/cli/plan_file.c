/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/plan_file.h"

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/cli/output.h"
#include "controller/cli/plan_key.h"
#include "controller/plan/saved.h"

#include <stdio.h>
#include <string.h>

enum {
	PLAN_FILE_MAX = 128 * 1024 * 1024, /* a thousand hosts of a hundred containers: 80 MB */
	PLAN_MODE = 0600,
};

/* --- writing */

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *strings(const char *const *items, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_string(items[i]));
	return array;
}

static json_t *options_json(const struct options *options)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:b, s:i, s:b}", "hosts",
			 strings(options->hosts, options->host_count), "host_selector",
			 text_or_null(options->host_selector), "selector",
			 text_or_null(options->selector), "targets",
			 strings(options->targets, options->target_count), "prune", options->prune,
			 "max_removals", options->max_removals, "local", options->local);
}

/* Once every host was planned: sealed last. */
static json_t *make_document(const struct session *session, const struct saved_key *key)
{
	json_t *hosts = json_array();

	for (size_t i = 0; i < fleet_count(session->fleet); i++) {
		const struct visit *visit = fleet_visit(session->fleet, i);

		json_array_append_new(
			hosts, visit->planned ? saved_host(&visit->pass, &visit->plan, key)
					      : saved_host_failed(visit->host->name, &visit->err));
	}
	json_t *document = json_pack(
		"{s:i, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "format", SAVED_FORMAT, "type",
		"plan", "version", DREY_VERSION, "project", set_project(session->set), "revision",
		session->revision.id, "options", options_json(&session->context->options),
		"resources", saved_resources(session->set, key), "hosts", hosts, "key",
		saved_key_json(key));
	saved_seal(document, key);
	return document;
}

static bool needs_key(const struct session *session)
{
	if (saved_set_needs_key(session->set))
		return true;
	for (size_t i = 0; i < fleet_count(session->fleet); i++) {
		const struct visit *visit = fleet_visit(session->fleet, i);

		if (visit->planned && saved_needs_key(&visit->plan))
			return true;
	}
	return false;
}

static int write_plan(const struct session *session, const char *path, struct error *err)
{
	bool needed = needs_key(session);
	struct plan_key key;

	if (plan_key_load(session->context, session->state_dir, needed, &key, err) < 0)
		return -1;
	bool sealed = key.given || needed;
	json_t *document = make_document(session, sealed ? &key.key : NULL);
	CLEANUP(cleanup_free) char *text = json_dumps(document, JSON_INDENT(1));
	int ret = io_write_file(path, PLAN_MODE, text, strlen(text), err);

	if (ret == 0 && needed && !key.given)
		output_warning(session->context,
			       "the plan hides secrets, so it can only be carried out with the "
			       "state directory %s; set $DREY_PLAN_KEY both times to carry it out "
			       "elsewhere",
			       session->state_dir);
	json_decref(document);
	plan_key_done(&key);
	return ret;
}

int plan_file_save(const struct session *session, const char *path)
{
	struct error err = ERROR_INIT;

	if (session->failed == fleet_count(session->fleet))
		return EXIT_IN_STEP;
	if (write_plan(session, path, &err) == 0)
		return EXIT_IN_STEP;
	fprintf(stderr, "drey: save the plan: %s\n", err.text);
	return err.code == ERROR_INVALID ? EXIT_USAGE : EXIT_PARTIAL;
}

/* --- reading */

static const char **take_strings(struct arena *arena, const json_t *array, size_t *ret_count)
{
	size_t count = json_array_size(array);
	const char **items = arena_alloc(arena, (count + 1) * sizeof(*items));

	for (size_t i = 0; i < count; i++)
		items[i] = arena_strdup(arena, json_string_value(json_array_get(array, i)));
	*ret_count = count;
	return items;
}

static const char *take_text(struct arena *arena, const json_t *value)
{
	return json_is_string(value) ? arena_strdup(arena, json_string_value(value)) : NULL;
}

static void take_options(struct context *context, const json_t *saved)
{
	struct options *options = &context->options;
	struct arena *arena = context->arena;
	json_int_t cap = json_integer_value(json_object_get(saved, "max_removals"));

	options->hosts = take_strings(arena, json_object_get(saved, "hosts"), &options->host_count);
	options->targets =
		take_strings(arena, json_object_get(saved, "targets"), &options->target_count);
	options->host_selector = take_text(arena, json_object_get(saved, "host_selector"));
	options->selector = take_text(arena, json_object_get(saved, "selector"));
	options->prune = json_is_true(json_object_get(saved, "prune"));
	options->local = options->local || json_is_true(json_object_get(saved, "local"));
	options->max_removals = cap > 100 ? 100 : (int)cap;
	/* Whoever hands a plan over has seen it. */
	options->yes = options->from_plan = true;
}

static const char *given_option(const struct options *options)
{
	return options->host_count	? "--host"
	       : options->host_selector ? "--host-selector"
	       : options->selector	? "--selector"
	       : options->target_count	? "--target"
	       : options->prune		? "--prune"
	       : options->max_removals	? "--max-removals"
					: NULL;
}

int plan_file_load(struct context *context, const char *path, json_t **ret_saved)
{
	const char *given = given_option(&context->options);
	CLEANUP(cleanup_free) char *text = NULL;
	struct error err = ERROR_INIT;
	size_t len;

	if (given) {
		error_set(&err, ERROR_INVALID,
			  "%s is no option for a saved plan: it is carried out as diff was told",
			  given);
		return command_fail(context, EXIT_USAGE, &err);
	}
	if (io_read_file(path, PLAN_FILE_MAX, &text, &len, &err) < 0)
		return command_fail(context, EXIT_USAGE, &err);
	if (saved_parse(text, len, ret_saved, &err) < 0) {
		error_wrap(&err, "%s", path);
		return command_fail(context, EXIT_USAGE, &err);
	}
	take_options(context, json_object_get(*ret_saved, "options"));
	return EXIT_IN_STEP;
}

/* --- comparing */

static void leave_out_unplanned(struct session *session, const json_t *saved)
{
	const json_t *host;
	size_t i;

	json_array_foreach (json_object_get(saved, "hosts"), i, host) {
		const json_t *failure = json_object_get(host, "error");

		for (size_t j = 0; failure && j < fleet_count(session->fleet); j++) {
			struct visit *visit = fleet_visit(session->fleet, j);
			struct error err = ERROR_INIT;

			if (!visit->planned ||
			    strcmp(visit->host->name,
				   json_string_value(json_object_get(host, "host"))) != 0)
				continue;
			error_set(&err, ERROR_REFUSED,
				  "the plan knows nothing of it, since it could not be planned "
				  "then; make a new plan");
			session_leave_out(session, visit, &err);
		}
	}
}

static int check_unfinished(const struct session *session, struct error *err)
{
	for (size_t i = 0; i < fleet_count(session->fleet); i++) {
		const struct visit *visit = fleet_visit(session->fleet, i);

		if (visit->planned && visit->plan.unfinished)
			return error_set(err, ERROR_REFUSED,
					 "%s: an interrupted change is to be finished or undone "
					 "first, which `drey apply` without a plan does",
					 visit->host->name);
	}
	return 0;
}

static int check_key(const json_t *saved, struct plan_key *key, struct error *err)
{
	if (json_is_object(json_object_get(saved, "key")) && !key->text)
		return error_set(err, ERROR_REFUSED,
				 "the plan hides secrets, and there is no key to check them with; "
				 "give apply the key that diff had ($DREY_PLAN_KEY, "
				 "--plan-key-file, or plan.key in the state directory)");
	if (!key->given && !json_is_object(json_object_get(saved, "key")))
		return 0;
	if (saved_check_seal(saved, &key->key, err) < 0)
		return -1;
	snprintf(key->key.salt, sizeof(key->key.salt), "%s",
		 json_string_value(json_object_get(json_object_get(saved, "key"), "salt")));
	return 0;
}

/* diff seals whatever plan hides something: one without is none of its own, or not any more. */
static int check_unsealed(const struct session *session, const json_t *saved, struct error *err)
{
	if (json_is_object(json_object_get(saved, "key")) || !needs_key(session))
		return 0;
	return error_set(err, ERROR_REFUSED,
			 "the plan has no seal, and what it is for holds secrets: nobody can tell "
			 "whether they have changed since; make a new one");
}

static bool all_in_step(const struct session *session)
{
	for (size_t i = 0; i < fleet_count(session->fleet); i++) {
		if (plan_has_differences(&fleet_visit(session->fleet, i)->plan))
			return false;
	}
	return session->failed == 0;
}

static int refuse(const struct session *session, json_t *moved)
{
	const struct context *context = session->context;
	struct error err = ERROR_INIT;

	error_set(&err, ERROR_REFUSED, "the plan no longer holds, and nothing was touched; %s",
		  all_in_step(session) ? "all is in step: perhaps it was carried out already"
				       : "make a new one");
	if (output_is_document(context)) {
		json_t *document = output_document(context);

		json_object_set_new(document, "exit", json_integer(EXIT_REFUSED));
		json_object_set_new(document, "error", output_error(&err));
		json_object_set(document, "moved", moved);
		output_print(context, document);
		return EXIT_REFUSED;
	}
	struct str text;

	str_init(&text, 0);
	saved_print_moved(moved, &text);
	fprintf(stderr, "%sdrey: %s\n", text.data, err.text);
	str_append(&text, err.text);
	command_print_failure(context, text.data);
	str_done(&text);
	return EXIT_REFUSED;
}

static int compare(struct session *session, const json_t *saved, const struct plan_key *key)
{
	bool sealed = json_is_object(json_object_get(saved, "key"));
	json_t *fresh = make_document(session, sealed ? &key->key : NULL);
	json_t *moved = saved_compare(saved, fresh);
	int code = EXIT_IN_STEP;

	if (json_array_size(moved) > 0)
		code = refuse(session, moved);
	json_decref(moved);
	json_decref(fresh);
	return code;
}

int plan_file_check(struct session *session, const json_t *saved)
{
	const char *project = json_string_value(json_object_get(saved, "project"));
	struct error err = ERROR_INIT;
	struct plan_key key = { 0 };

	if (strcmp(project, set_project(session->set)) != 0) {
		error_set(&err, ERROR_INVALID,
			  "the plan is one of project %s, and the manifests are project %s",
			  project, set_project(session->set));
		return command_fail(session->context, EXIT_USAGE, &err);
	}
	if (plan_key_load(session->context, session->state_dir, false, &key, &err) < 0)
		return command_fail(session->context,
				    err.code == ERROR_INVALID ? EXIT_USAGE : EXIT_REFUSED, &err);
	int code = EXIT_IN_STEP;
	if (check_key(saved, &key, &err) < 0 || check_unfinished(session, &err) < 0)
		code = command_fail(session->context, EXIT_REFUSED, &err);
	else
		code = compare(session, saved, &key);
	if (code == EXIT_IN_STEP && check_unsealed(session, saved, &err) < 0)
		code = command_fail(session->context, EXIT_REFUSED, &err);
	if (code == EXIT_IN_STEP)
		leave_out_unplanned(session, saved);
	plan_key_done(&key);
	return code;
}

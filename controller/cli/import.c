/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey import HOST: writes manifests for what runs there. Changes nothing there. */
#include "reconcilers/import.h"

#include "controller/base/interrupt.h"
#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/cli/document.h"
#include "controller/cli/load.h"
#include "controller/cli/option_rows.h"
#include "controller/cli/output.h"
#include "controller/fleet/visit.h"
#include "controller/host/address.h"
#include "manifests/schema_types.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct job {
	struct context *context;
	struct arena *arena;
	struct manifest_set *set; /* with the host in it */
	bool by_address;	  /* the set was made up here: the Host is written too */
	const struct resource *host;
	struct connection connection;
	struct pass pass;
	struct import import;
	struct error err;
	bool observed;
};

/* --- where it is --- */

static int load_text(struct job *job, const char *text, size_t len, struct manifest_set **ret_set,
		     struct diagnostics *diagnostics, struct error *err)
{
	struct manifest_options options = { .dir = ".", .version = DREY_VERSION };

	(void)job;
	options.kinds = kinds_all(&options.kind_count);
	return set_load_text(&options, "import", text, len, diagnostics, ret_set, err);
}

/* "10.0.0.7" or "edge-1.example.com" for ssh, "local" for this machine. */
static const char *host_name(struct job *job, const struct host_address *address)
{
	char *name;

	if (address->scheme == HOST_SCHEME_UNIX)
		return "local";
	name = arena_strdup(job->arena, address->host);
	for (char *p = name; *p; p++) {
		if (!isalnum((unsigned char)*p) && *p != '.' && *p != '-' && *p != '_')
			*p = '-';
	}
	return isalnum((unsigned char)*name) ? name : "host";
}

static void set_path(json_t *spec, const char *key, const char *path)
{
	CLEANUP(cleanup_free) char *absolute = path ? realpath(path, NULL) : NULL;

	if (path)
		json_object_set_new(spec, key, json_string(absolute ?: path));
}

static void print_host(struct job *job, const char *project, const char *name, const json_t *spec,
		       struct str *out)
{
	json_t *metadata = json_pack("{s:s}", "name", project);

	(void)job;
	document_print(&reconciler_find("Project")->kind, metadata, NULL, NULL, out);
	str_append(out, "---\n");
	json_object_set_new(metadata, "name", json_string(name));
	document_print(&reconciler_find("Host")->kind, metadata, spec, NULL, out);
	json_decref(metadata);
}

/* A set of no more than the Project and the Host. */
static int open_address(struct job *job, const char *text)
{
	const struct options *options = &job->context->options;
	struct error err = ERROR_INIT;
	struct host_address address;
	struct diagnostics diagnostics;
	struct str document;
	json_t *spec;

	if (host_address_parse(job->arena, text, &address, &err) < 0)
		return command_fail(job->context, EXIT_USAGE, &err);
	if (!options->project && address.scheme != HOST_SCHEME_UNIX) {
		error_set(&err, ERROR_INVALID,
			  "a set of manifests for a remote host names its project: say --project "
			  "NAME");
		return command_fail(job->context, EXIT_USAGE, &err);
	}
	spec = json_pack("{s:s}", "address", text);
	set_path(spec, "identity_file", options->identity_file);
	set_path(spec, "known_hosts", options->known_hosts);
	str_init(&document, 0);
	print_host(job, options->project ?: "default", host_name(job, &address), spec, &document);
	json_decref(spec);
	diagnostics_init(&diagnostics, job->arena);
	int r = load_text(job, document.data, document.len, &job->set, &diagnostics, &err);
	str_done(&document);
	if (r < 0) {
		if (diagnostics.list.count)
			error_set(&err, ERROR_INVALID, "%s", diagnostics.list.items[0].text);
		diagnostics_done(&diagnostics);
		return command_fail(job->context, EXIT_USAGE, &err);
	}
	diagnostics_done(&diagnostics);
	job->by_address = true;
	job->host = set_host(job->set, 0);
	return EXIT_IN_STEP;
}

static int open_name(struct job *job, const char *name)
{
	struct context *context = job->context;
	struct error err = ERROR_INIT;
	size_t count;

	if (context->options.project || context->options.identity_file ||
	    context->options.known_hosts) {
		error_set(&err, ERROR_INVALID,
			  "--project, --identity-file and --known-hosts go with an address; what "
			  "manifests declare says all that itself");
		return command_fail(context, EXIT_USAGE, &err);
	}
	int code = load_manifests(context, &job->set);
	if (code != EXIT_IN_STEP)
		return code;
	count = set_host_count(job->set);
	const char **names = arena_alloc(job->arena, (count + 1) * sizeof(*names));
	for (size_t i = 0; i < count; i++) {
		names[i] = set_host(job->set, i)->name;
		if (strcmp(names[i], name) == 0)
			job->host = set_host(job->set, i);
	}
	if (job->host)
		return EXIT_IN_STEP;
	error_set(&err, ERROR_INVALID,
		  "the manifests in %s have no Host '%s'; an engine that they do not have is named "
		  "by its address: ssh://user@host or unix:///path",
		  load_dir(context), name);
	if (str_nearest(name, names, count))
		error_hint(&err, "did you mean '%s'?", str_nearest(name, names, count));
	return command_fail(context, EXIT_USAGE, &err);
}

/* --- looking --- */

static void look(void *ctx)
{
	struct job *job = ctx;

	if (connection_open(&job->connection, job->host, &job->context->log, &job->err) < 0)
		return;
	job->pass.engine = job->connection.engine;
	job->observed = pass_observe(&job->pass, &job->err) == 0;
}

static void interrupt(void *ctx)
{
	connection_interrupt(&((struct job *)ctx)->connection);
}

static int observe(struct job *job, struct tunnel *tunnel)
{
	struct desired *nothing = arena_new_of(job->arena, struct desired);

	nothing->host = job->host;
	job->pass = (struct pass){
		.arena = job->arena,
		.set = job->set,
		.desired = nothing,
		.project = set_project(job->set),
		.log = &job->context->log,
		.whole = true,
	};
	if (connection_init(&job->connection, tunnel, job->host, &job->context->log, &job->err) < 0)
		return command_fail(job->context, EXIT_USAGE, &job->err);
	if (interrupt_run(look, interrupt, job)) {
		error_set(&job->err, ERROR_CANCELLED, "interrupted");
		return command_fail(job->context, EXIT_INTERRUPTED, &job->err);
	}
	if (!job->observed)
		return command_fail(job->context, EXIT_PARTIAL, &job->err);
	return EXIT_IN_STEP;
}

/* --- documents --- */

static int compare_items(const void *a, const void *b)
{
	const struct import_item *x = *(const struct import_item *const *)a;
	const struct import_item *y = *(const struct import_item *const *)b;
	int order = x->reconciler->kind.phase - y->reconciler->kind.phase;

	return order ? order : strcmp(x->object->engine_name, y->object->engine_name);
}

static void print_item(const struct import_item *item, struct str *out)
{
	json_t *note;
	size_t i;

	json_array_foreach (item->notes, i, note) {
		str_append(out, "# ");
		print_text(json_string_value(note), out);
		str_append_char(out, '\n');
	}
	document_print(&item->reconciler->kind, item->metadata, item->spec, NULL, out);
}

static void print_all(const struct job *job, struct str *out)
{
	for (size_t i = 0; i < job->import.count; i++) {
		if (job->import.items[i]->left_out)
			continue;
		str_append(out, out->len ? "---\n" : "");
		print_item(job->import.items[i], out);
	}
}

static void print_project(struct job *job, struct str *out)
{
	print_host(job, set_project(job->set), job->host->name, job->host->spec, out);
}

/* --- the proof --- */

/* What the set has on this host already, so that the new documents can refer to it. */
static void print_declared(const struct job *job, struct str *out)
{
	const struct desired *desired = set_desired(job->set, job->host->name);

	for (size_t i = 0; i < desired->count; i++) {
		const struct resource *resource = desired->resources[i];
		json_t *spec = json_copy((json_t *)resource->spec);

		json_object_del(spec, "host_selector");
		json_object_set_new(spec, "hosts", json_pack("[s]", job->host->name));
		str_append(out, "---\n");
		document_print(resource->kind, resource->metadata, spec, NULL, out);
		json_decref(spec);
	}
}

static struct import_item *item_of(const struct job *job, const struct action *action)
{
	for (size_t i = 0; i < job->import.count; i++) {
		struct import_item *item = job->import.items[i];

		if (!item->left_out && item->resource.kind == action->kind &&
		    strcmp(item->resource.name, action->name) == 0)
			return item;
	}
	return NULL;
}

static int find_differences(struct job *job, const struct manifest_set *set)
{
	const struct plan_options options = { .max_removals_percent = 100 };
	struct error err = ERROR_INIT;
	int code = EXIT_IN_STEP;
	struct plan plan;

	job->pass.set = set;
	job->pass.desired = set_desired(set, job->host->name);
	if (plan_build(&job->pass, &options, job->arena, &plan, &err) < 0)
		return command_fail(job->context, EXIT_PARTIAL, &err);
	for (size_t i = 0; i < plan.count; i++) {
		const struct action *action = &plan.actions[i];
		struct import_item *item = item_of(job, action);

		if (!item || action->verdict == VERDICT_KEEP)
			continue;
		import_note(&job->import, item, "its first diff will not be empty: %s%s%s",
			    verdict_name(action->verdict), action->reason ? ", " : "",
			    action->reason ?: "");
		code = EXIT_PARTIAL;
	}
	return code;
}

/* What is handed over was loaded, and compared with the host, as `drey diff` does; what did not
 * hold is told. */
static int prove(struct job *job)
{
	struct diagnostics diagnostics;
	struct manifest_set *set = NULL;
	struct error err = ERROR_INIT;
	struct str text;
	int code;

	str_init(&text, 0);
	print_project(job, &text);
	if (!job->by_address)
		print_declared(job, &text);
	print_all(job, &text);
	diagnostics_init(&diagnostics, job->arena);
	if (load_text(job, text.data, text.len, &set, &diagnostics, &err) == 0) {
		code = find_differences(job, set);
		/* What was compared lives in it. */
		arena_defer(job->arena, (void (*)(void *))set_unref, set);
	} else {
		for (size_t i = 0; i < diagnostics.list.count; i++)
			fprintf(stderr, "drey: %s\n", diagnostics.list.items[i].text);
		error_set(&err, ERROR_UNSUPPORTED,
			  "what there is on the host makes no valid set of manifests");
		code = command_fail(job->context, EXIT_PARTIAL, &err);
	}
	diagnostics_done(&diagnostics);
	str_done(&text);
	return code;
}

/* --- handing over --- */

struct file {
	char *path;
	char *text;
	size_t len;
};

struct files {
	VEC(struct file) list;
};

static void add_file(struct files *files, const char *dir, const char *name, struct str *text)
{
	struct file file = { .path = xasprintf("%s/%s.yaml", dir, name), .len = text->len };

	file.text = str_take(text);
	vec_push(&files->list, file);
}

static void make_files(struct job *job, const char *dir, struct files *files)
{
	struct str text;

	if (job->by_address) {
		CLEANUP(cleanup_free) char *name = xasprintf("host-%s", job->host->name);

		str_init(&text, 0);
		print_project(job, &text);
		add_file(files, dir, name, &text);
	}
	for (size_t i = 0; i < job->import.count; i++) {
		const struct import_item *item = job->import.items[i];
		const char *kind = item->resource.kind->name;

		if (item->left_out)
			continue;
		CLEANUP(cleanup_free)
		char *name = xasprintf("%c%s-%s", tolower((unsigned char)*kind), kind + 1,
				       item->resource.name);
		str_init(&text, 0);
		print_item(item, &text);
		add_file(files, dir, name, &text);
	}
}

/* All or nothing: none is written where one is there already. */
static int write_files(struct job *job, const char *dir, const struct files *files)
{
	struct error err = ERROR_INIT;
	size_t written = 0;

	VEC_FOREACH (const struct file *, file, &files->list) {
		struct stat unused;

		if (lstat(file->path, &unused) < 0 && errno == ENOENT)
			continue;
		error_set(&err, ERROR_REFUSED,
			  "%s is there already, or can't be looked at: nothing is overwritten, and "
			  "nothing was written",
			  file->path);
		return command_fail(job->context, EXIT_REFUSED, &err);
	}
	if (io_make_dirs(dir, 0700, &err) < 0)
		return command_fail(job->context, EXIT_REFUSED, &err);
	while (written < files->list.count &&
	       io_write_file(files->list.items[written].path, 0600, files->list.items[written].text,
			     files->list.items[written].len, &err) == 0)
		written++;
	if (written == files->list.count)
		return EXIT_IN_STEP;
	while (written-- > 0)
		unlink(files->list.items[written].path);
	return command_fail(job->context, EXIT_REFUSED, &err);
}

static int hand_over(struct job *job)
{
	const char *dir = job->context->options.out;
	struct files files = { 0 };
	int code = EXIT_IN_STEP;
	struct str text;

	if (!dir) {
		str_init(&text, 0);
		if (job->by_address)
			print_project(job, &text);
		print_all(job, &text);
		fputs(text.data, stdout);
		str_done(&text);
		return code;
	}
	make_files(job, dir, &files);
	code = write_files(job, dir, &files);
	VEC_FOREACH (struct file *, file, &files.list) {
		free(file->path);
		free(file->text);
	}
	vec_done(&files.list);
	return code;
}

static void tell(const struct job *job)
{
	size_t taken = 0, left = 0;

	for (size_t i = 0; i < job->import.count; i++) {
		const struct import_item *item = job->import.items[i];
		const char *kind = item->resource.kind->name, *name = item->object->engine_name;
		json_t *note;
		size_t k;

		taken += !item->left_out;
		left += item->left_out != NULL;
		if (item->left_out)
			output_warning(job->context, "%s %s is left out: %s", kind, name,
				       item->left_out);
		json_array_foreach (item->notes, k, note) {
			if (!item->left_out)
				output_warning(job->context, "%s %s: %s", kind, name,
					       json_string_value(note));
		}
	}
	if (!job->context->options.quiet)
		fprintf(stderr, "drey: %zu taken over from %s%s%s, %zu left out\n", taken,
			job->host->name, job->context->options.out ? " into " : "",
			job->context->options.out ?: "", left);
}

static int import_host(struct job *job, struct tunnel *tunnel)
{
	int code = observe(job, tunnel);

	if (code != EXIT_IN_STEP)
		return code;
	job->import = (struct import){
		.pass = &job->pass,
		.set = job->by_address ? NULL : job->set,
		.host = job->host->name,
		.several = set_host_count(job->set) > 1,
	};
	import_build(&job->import);
	if (job->import.count)
		qsort(job->import.items, job->import.count, sizeof(*job->import.items),
		      compare_items);
	code = prove(job);
	code = exit_worst(code, hand_over(job));
	tell(job);
	return code;
}

static int run(struct context *context)
{
	const char *what = context->options.args[0];
	struct job job = { .context = context, .arena = arena_new() };
	struct tunnel *tunnel = NULL;
	sigset_t signals, before;

	int code = strstr(what, "://") ? open_address(&job, what) : open_name(&job, what);
	if (code == EXIT_IN_STEP) {
		/* Before the tunnel's thread is there: no thread may get them. */
		interrupt_signals(&signals);
		pthread_sigmask(SIG_BLOCK, &signals, &before);
		if (tunnel_new(&context->log, &tunnel, &job.err) < 0)
			code = command_fail(context, EXIT_PARTIAL, &job.err);
		else
			code = import_host(&job, tunnel);
		connection_done(&job.connection);
		tunnel_free(tunnel);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	arena_free(job.arena);
	set_unref(job.set);
	return code;
}

static const struct option_row opt_out = {
	.name = "out",
	.type = OPTION_STRING,
	.offset = offsetof(struct options, out),
	.value = "DIR",
	.complete = "dir",
	.doc = "Write a file for each resource into this directory, which is made; nothing is "
	       "overwritten.",
};

static const struct option_row opt_new_project = {
	.name = "project",
	.type = OPTION_STRING,
	.offset = offsetof(struct options, project),
	.value = "NAME",
	.doc = "The project's name, with an address; 'default' for a socket of this machine.",
};

static const struct option_row opt_identity_file = {
	.name = "identity-file",
	.type = OPTION_STRING,
	.offset = offsetof(struct options, identity_file),
	.value = "FILE",
	.complete = "file",
	.doc = "Private key for the login, with an address; the agent is asked anyway.",
};

static const struct option_row opt_known_hosts = {
	.name = "known-hosts",
	.type = OPTION_STRING,
	.offset = offsetof(struct options, known_hosts),
	.value = "FILE",
	.complete = "file",
	.doc = "File with the host's key, with an address; ~/.ssh/known_hosts if not given.",
};

static const struct option_row *const import_options[] = {
	&opt_file, &opt_out, &opt_new_project, &opt_identity_file, &opt_known_hosts, NULL,
};

const struct command command_import = {
	.name = "import",
	.group = GROUP_MANIFESTS,
	.usage = "[OPTION]... HOST|ADDRESS",
	.summary = "Write manifests for what runs on a host already",
	.description =
		"Containers, and the networks and named volumes that are there, as manifests that "
		"say no more than differs from their images and the engine's defaults. They take "
		"the objects over as they are (metadata.adopt): the first diff is empty, which is "
		"checked before anything is written, and nothing is started, stopped or made "
		"anew.\n\n"
		"HOST is a Host of the manifests in DIR; what they have on it is left out. An "
		"ADDRESS (ssh://user@host, unix:///path) is an engine that no manifest has: "
		"Project and Host are written as well.\n\n"
		"What is left out, and what no manifest can say, is told on standard error and "
		"in comments. Environment variables are written as they are: look for secrets "
		"before you commit. Written files are for their owner's eyes only.",
	.options = import_options,
	.example = "drey import edge-1 -f fleet --out fleet/edge-1\n"
		   "drey import ssh://root@10.0.0.7 --project shop --out shop",
	.min_args = 1,
	.max_args = 1,
	.complete = "host",
	.run = run,
};

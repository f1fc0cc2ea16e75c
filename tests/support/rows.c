/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every row of Container, Network and Volume on a real engine: its example is created and read
 * back, which must show no difference; against a manifest without the row, the difference must be
 * that row's (and what follows from it); and what is live is set on a plain container, which must
 * bring it into step.
 *
 *     rows SOCKET IMAGE [KEY]...
 *
 * IMAGE is on the engine. Everything is made under names that begin with rows-, and removed.
 * Prints a line a row; exit 1 when one failed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/container.h"
#include "reconcilers/network.h"
#include "reconcilers/volume.h"

struct bench {
	struct engine *engine;
	const char *image;
	char dir[64];
	size_t failed, done, skipped;
};

/* A loaded set and a pass over it. */
struct round {
	struct arena *arena;
	struct manifest_set *set;
	struct pass pass;
	struct action action;
};

static void die(const char *what, const struct error *err)
{
	fprintf(stderr, "rows: %s: %s\n", what, err->text);
	exit(2);
}

static char *manifest(const struct bench *bench, const struct kind *kind, const char *key,
		      const char *example)
{
	bool container = strcmp(kind->name, "Container") == 0;

	return xasprintf(
		"apiVersion: drey/v1\nkind: %s\nmetadata: { name: rows-x }\nspec:\n%s%s%s\n  "
		"%s%s%s\n"
		"---\napiVersion: drey/v1\nkind: Network\nmetadata: { name: front }\n"
		"spec: { hosts: [local] }\n",
		kind->name, container ? "  image: " : "  hosts: [local]",
		container ? bench->image : "",
		!container			   ? ""
		: !key				   ? "\n  stop_grace_period: 1s"
		: str_eq(key, "stop_grace_period") ? ""
		/* What the machine may not let a container do need not be started. */
		: str_eq(key, "privileged") ? "\n  state: stopped\n  stop_grace_period: 1s"
					    : "\n  stop_grace_period: 1s",
		key ? key : "", key ? ": " : "", key ? example : "");
}

static void load(const struct bench *bench, const char *yaml, struct round *round)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/rows.yaml", bench->dir);
	struct manifest_options options = { .dir = bench->dir, .version = DREY_VERSION };
	struct diagnostics diagnostics;
	struct error err = ERROR_INIT;
	struct str text;

	*round = (struct round){ .arena = arena_new() };
	options.kinds = kinds_all(&options.kind_count);
	diagnostics_init(&diagnostics, round->arena);
	if (io_write_file(path, 0600, yaml, strlen(yaml), &err) < 0)
		die(path, &err);
	if (set_load(&options, &diagnostics, &round->set, &err) < 0) {
		str_init(&text, 0);
		diagnostics_print(&diagnostics, &text);
		fprintf(stderr, "%s%s%s\n", yaml, text.data, err.text);
		exit(2);
	}
	diagnostics_done(&diagnostics);
	round->pass = (struct pass){
		.arena = round->arena,
		.engine = bench->engine,
		.set = round->set,
		.desired = set_desired(round->set, "local"),
		.project = "rows",
		.revision = "r1",
	};
}

static void unload(struct round *round)
{
	vec_done(&round->action.changes.list);
	arena_free(round->arena);
	set_unref(round->set);
}

static const struct action *compare_named(struct round *round, const struct kind *kind,
					  const char *name)
{
	struct action *action = &round->action;
	struct error err = ERROR_INIT;

	if (pass_observe(&round->pass, &err) < 0)
		die("observe", &err);
	action->kind = kind;
	action->name = name;
	action->want = desired_find(round->pass.desired, kind->name, name);
	action->have = pass_find_ours(&round->pass, kind, name);
	if (!action->have)
		action->have = pass_find_engine_name(&round->pass, kind,
						     resource_engine_name(action->want));
	vec_done(&action->changes.list);
	reconciler_find(kind->name)->compare(&round->pass, action, round->arena);
	return action;
}

static const struct action *compare(struct round *round, const struct kind *kind)
{
	return compare_named(round, kind, "rows-x");
}

static void print_changes(const struct action *action, struct str *out)
{
	static const char *const effects[] = { "none",	"live",	   "connect",
					       "state", "replace", "forbidden" };

	str_append(out, verdict_name(action->verdict));
	if (action->reason)
		str_printf(out, " (%s)", action->reason);
	if (action->warning)
		str_printf(out, " (warning: %s)", action->warning);
	VEC_FOREACH (const struct change *, change, &action->changes.list) {
		str_printf(out, "\n\t%s: ", change->path);
		schema_print_value(change->leaf, change->before, out);
		str_append(out, " -> ");
		schema_print_value(change->leaf, change->after, out);
		str_printf(out, " [%s]", effects[change->effect]);
	}
}

static void report(struct bench *bench, const struct kind *kind, const char *key, bool good,
		   const char *what, const struct action *action)
{
	struct str text;

	str_init(&text, 0);
	if (action)
		print_changes(action, &text);
	printf("%s %s.%s: %s%s%s\n", good ? "ok  " : "FAIL", kind->name, key, what,
	       action ? ": " : "", text.data);
	str_done(&text);
	if (!good)
		bench->failed++;
}

static void apply(struct round *round, const struct action *action, const char *what)
{
	struct error err = ERROR_INIT;

	if (reconciler_find(action->kind->name)->apply(&round->pass, action, &err) < 0) {
		printf("FAIL apply (%s): %s\n", what, err.text);
		error_clear(&err);
	}
}

static void clean(const struct bench *bench)
{
	static const char *const paths[] = { "/containers/rows-x?force=1&v=1",
					     "/containers/web-1?force=1&v=1",
					     "/networks/rows-x",
					     "/networks/front",
					     "/networks/front-1",
					     "/volumes/rows-x",
					     "/volumes/web-data-1" };
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (engine_delete(bench->engine, paths[i], &err) < 0)
			error_clear(&err);
}

/* Rows whose value shows in another row too. */
static bool follows(const struct change *change, const struct field *row)
{
	static const char *const pairs[][2] = {
		{ "ports", "expose" },		{ "mem_limit", "memswap_limit" },
		{ "entrypoint", "command" },	{ "network_mode", "networks" },
		{ "network_mode", "hostname" }, { "privileged", "state" },
		{ "uts", "hostname" },		{ "name", "driver" }
	};

	if (change->field == row)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (strcmp(row->key, pairs[i][0]) == 0 &&
		    strcmp(change->field->key, pairs[i][1]) == 0)
			return true;
	return false;
}

static bool names_only(const struct action *action, const struct field *row)
{
	bool named = false;

	VEC_FOREACH (const struct change *, change, &action->changes.list) {
		if (!follows(change, row))
			return false;
		named = named || change->field == row;
	}
	return named;
}

/* Is the example what silence means? */
static bool is_default(const struct field *row)
{
	return row->fallback && row->fallback[0] == '"' &&
	       strncmp(row->fallback + 1, row->example, strlen(row->example)) == 0;
}

/* Made with the row; then a manifest without it; then back by what is live. */
static void try_row(struct bench *bench, const struct kind *kind, const struct field *row)
{
	CLEANUP(cleanup_free) char *with = manifest(bench, kind, row->key, row->example);
	CLEANUP(cleanup_free) char *without = manifest(bench, kind, NULL, NULL);
	const struct action *action;
	struct round round;

	if ((int)row->since > engine_api(bench->engine)) {
		printf("skip %s.%s: needs API 1.%u\n", kind->name, row->key, row->since);
		bench->skipped++;
		return;
	}
	if (strcmp(row->key, "image") == 0)
		return;
	clean(bench);
	load(bench, with, &round);
	action = compare_named(&round, &reconciler_find("Network")->kind, "front");
	apply(&round, action, "network");
	action = compare(&round, kind);
	if (action->verdict != VERDICT_CREATE)
		report(bench, kind, row->key, false, "before it was made", action);
	apply(&round, action, row->key);
	action = compare(&round, kind);
	report(bench, kind, row->key, action->verdict == VERDICT_KEEP && !action->warning,
	       "made and read back", action);
	unload(&round);
	if (!row->api && !row->inspect)
		return;

	load(bench, without, &round);
	action = compare(&round, kind);
	bool silent = action->verdict == VERDICT_KEEP &&
		      (row->origin == ORIGIN_DAEMON || is_default(row));
	bool renamed = strcmp(row->key, "name") == 0;
	if (!renamed)
		report(bench, kind, row->key, silent || names_only(action, row),
		       "taken out of the manifest", action);
	unload(&round);
	bench->done++;
	if (row->effect != EFFECT_LIVE)
		return;

	clean(bench);
	load(bench, without, &round);
	apply(&round, compare(&round, kind), "plain");
	unload(&round);
	load(bench, with, &round);
	action = compare(&round, kind);
	report(bench, kind, row->key, action->verdict == VERDICT_UPDATE, "to be set live", action);
	apply(&round, action, "live");
	action = compare(&round, kind);
	report(bench, kind, row->key, action->verdict == VERDICT_KEEP, "set live", action);
	unload(&round);
}

static bool is_chosen(int argc, char **argv, const char *key)
{
	for (int i = 3; i < argc; i++)
		if (strcmp(argv[i], key) == 0)
			return true;
	return argc == 3;
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = { "Network", "Volume", "Container" };
	struct bench bench = { .image = argc > 2 ? argv[2] : NULL, .dir = "/tmp/rows-XXXXXX" };
	struct error err = ERROR_INIT;

	if (argc < 3) {
		fprintf(stderr, "usage: rows SOCKET IMAGE [KEY]...\n");
		return 2;
	}
	struct engine_options options = { .name = "local",
					  .socket_path = argv[1],
					  .connect_timeout_ms = 5000,
					  .request_timeout_ms = 60000 };
	if (engine_open(&options, &bench.engine, &err) < 0)
		die("open", &err);
	if (!mkdtemp(bench.dir))
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct kind *kind = &reconciler_find(kinds[i])->kind;

		for (size_t k = 0; k < kind->spec->count; k++) {
			const struct field *row = &kind->spec->fields[k];

			if (row->example && is_chosen(argc, argv, row->key))
				try_row(&bench, kind, row);
		}
	}
	clean(&bench);
	CLEANUP(cleanup_free) char *path = xasprintf("%s/rows.yaml", bench.dir);
	unlink(path);
	rmdir(bench.dir);
	engine_close(bench.engine);
	printf("%zu rows, %zu failed, %zu skipped\n", bench.done, bench.failed, bench.skipped);
	return bench.failed ? 1 : 0;
}

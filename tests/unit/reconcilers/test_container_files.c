/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/tar.h"
#include "controller/plan/mask.h"
#include "reconcilers/container_files.h"
#include "tests/unit/reconcilers/pass_fixture.h"

TestSuite(container_files, .init = pass_setup, .fini = pass_teardown);

#define WEB                                                                                        \
	"apiVersion: drey/v1\nkind: Container\nmetadata: { name: web%s }\n"                        \
	"spec:\n  image: busy:1\n%s\n"
#define CONFIG                                                                                     \
	"---\napiVersion: drey/v1\nkind: Config\nmetadata: { name: c }\n"                          \
	"spec: { content: \"one\\ntwo\\n\" }\n"                                                    \
	"---\napiVersion: drey/v1\nkind: Config\nmetadata: { name: d }\nspec: { content: d }\n"

static struct pass *pass;
static const struct resource *web;
static struct object *have;

/* A container "web" with these lines; `meta` goes behind its name. */
static void container(const char *meta, const char *lines)
{
	CLEANUP(cleanup_free) char *yaml = xasprintf(WEB CONFIG, meta, lines);

	pass = pass_manifests(yaml);
	pass_has_image("busy:1", pass_data("engine-20.10/image-busy"));
	web = desired_find(pass->desired, "Container", "web");
	have = NULL;
}

static void there(const char *label)
{
	json_t *inspect = pass_data("engine-20.10/container-plain");
	json_t *config = json_object_get(inspect, "Config");

	json_object_set_new(inspect, "Name", json_string("/web"));
	if (label)
		json_object_set_new(config, "Labels", json_pack("{s:s}", LABEL_FILES, label));
	have = pass_has_container(inspect, "web");
}

/* As if the engine had answered with this for the file of that index. */
static void sees(size_t index, const struct tar_file *file)
{
	size_t count;
	const struct container_file *files = container_files(web, pass->arena, &count);
	struct container_seen *seen = have->seen ? (struct container_seen *)have->seen
						 : arena_alloc(pass->arena, count * sizeof(*seen));
	struct str tar;

	str_init(&tar, 0);
	tar_append(&tar, file);
	tar_end(&tar);
	cr_assert_lt(index, count);
	seen[index] = container_files_seen(&files[index], tar.data, tar.len);
	str_done(&tar);
	have->seen = seen;
	have->seen_count = count;
}

/* The changes of the rows, without those of the recorded container's own. */
static const char *file_changes(void)
{
	struct action *action = pass_compare("Container", "web");
	size_t kept = 0;

	for (size_t i = 0; i < action->changes.list.count; i++) {
		struct change *change = &action->changes.list.items[i];

		if (strcmp(change->field->key, "configs") == 0 ||
		    strcmp(change->field->key, "secrets") == 0)
			action->changes.list.items[kept++] = *change;
	}
	action->changes.list.count = kept;
	if (kept)
		cr_expect_eq(action->verdict, VERDICT_REPLACE);
	return pass_changes(action);
}

Test(container_files, defaults_are_composes)
{
	size_t count;
	const struct container_file *files;

	container("", "  configs: [c, { source: d, target: etc//d, uid: \"7\", gid: \"8\", mode: "
		      "0o640 }]");
	files = container_files(web, pass->arena, &count);
	cr_assert_eq(count, 2);
	cr_expect_str_eq(files[0].target, "/c");
	cr_expect_eq(files[0].mode, 0444);
	cr_expect_eq(files[0].uid, 0);
	cr_expect_str_eq(files[1].target, "/etc/d");
	cr_expect_eq(files[1].mode, 0640);
	cr_expect_eq(files[1].uid, 7);
	cr_expect_eq(files[1].gid, 8);
}

Test(container_files, what_is_there_is_compared_byte_by_byte)
{
	struct tar_file file = { "c", 0444, 0, 0, 0, "one\ntwo\n", 8 };

	container("", "  configs: [c]");
	there(NULL);
	sees(0, &file);
	cr_expect_str_eq(file_changes(), "");
	file.data = "one\n2wo\n";
	sees(0, &file);
	cr_expect_str_eq(file_changes(),
			 "configs[/c]: 8 bytes -> 8 bytes, other from line 2 on [replace]");
	file.data = "one\ntwo\nthree\n";
	file.size = 14;
	sees(0, &file);
	cr_expect_str_eq(file_changes(),
			 "configs[/c]: 14 bytes -> 8 bytes, other from line 3 on [replace]");
	file.size = 8;
	file.mode = 0600;
	file.uid = 5;
	sees(0, &file);
	cr_expect_str_eq(
		file_changes(),
		"configs[/c].uid: 5 -> 0 [replace]; configs[/c].mode: 0600 -> 0444 [replace]");
}

Test(container_files, what_is_no_file)
{
	size_t count;

	container("", "  configs: [c]");
	there(NULL);
	cr_expect_str_eq(file_changes(), "configs[/c]: (none) -> 8 bytes [replace]");
	const struct container_file *files = container_files(web, pass->arena, &count);
	struct container_seen seen = container_files_seen(files, "garbage", 7);
	have->seen = &seen;
	have->seen_count = 1;
	cr_expect_str_eq(file_changes(), "configs[/c]: no regular file -> 8 bytes [replace]");
}

Test(container_files, what_left_the_manifest_is_known_by_the_label)
{
	struct tar_file file = { "c", 0444, 0, 0, 0, "one\ntwo\n", 8 };

	container("", "  configs: [c]");
	there("{\"configs\":[\"/c\",\"/gone\",7],\"secrets\":[\"/run/secrets/s\"]}");
	sees(0, &file);
	struct action *action = pass_compare("Container", "web");
	struct change *last = &action->changes.list.items[action->changes.list.count - 1];
	while (strcmp(last->path, "secrets[/run/secrets/s]") != 0)
		last--;
	cr_expect(mask_before(action, last));
	cr_expect(strstr(pass_changes(action), "configs[/gone]: put there by drey -> (none)"));
}

Test(container_files, labels_that_are_none)
{
	container("", "  hostname: x");
	there("[}");
	cr_expect_str_eq(file_changes(), "");
	cr_expect_null(container_files_label(web));
}

Test(container_files, ignored)
{
	container(", ignore: [\"configs[/c]\"]", "  configs: [c, d]");
	there(NULL);
	cr_expect_str_eq(file_changes(), "configs[/d]: (none) -> 1 bytes [replace]");
	container(", ignore: [configs]", "  configs: [c, d]");
	there(NULL);
	cr_expect_str_eq(file_changes(), "");
}

static void expect_fault(const char *lines, const char *message)
{
	CLEANUP(cleanup_free) char *yaml = xasprintf(WEB CONFIG, "", lines);
	const char *faults = pass_faults(yaml);

	cr_expect(strstr(faults, message), "%s\nnot in: %s", message, faults);
}

Test(container_files, rules)
{
	expect_fault("  configs: [c, { source: d, target: /c }]", "another file of this container");
	expect_fault("  configs: [c, { source: d, target: /c/d }]", "another file of this");
	expect_fault("  configs: [c]\n  read_only: true", "read-only root file system");
	expect_fault("  configs: [{ source: c, target: /data/x }]\n  volumes: [/data]", "volumes");
	expect_fault("  configs: [{ source: c, target: /run/x }]\n  tmpfs: [\"/run:size=1m\"]",
		     "tmpfs");
	expect_fault("  configs: [{ source: c, target: /etc/hosts }]", "engine itself mounts");
	expect_fault("  configs: [{ source: c, target: ../proc/x }]", "engine itself mounts");
	expect_fault("  configs: [{ source: c, target: / }]", "engine itself mounts");
	expect_fault("  configs: [{ source: c, mode: 440 }]", "mode");
	expect_fault("  configs: [e]", "there is no Config 'e'");
}

/* --- files changed inside --- */

static const char *drift(const char *lines, const char *changes)
{
	container("", lines);
	there(NULL);
	have->drift = container_drift(have, web, pass_json(changes));
	arena_defer(pass->arena, (void (*)(void *))json_decref, (void *)have->drift);
	struct str text;
	json_t *change;
	size_t i;

	str_init(&text, 0);
	json_array_foreach (have->drift, i, change)
		str_printf(&text, "%s ", json_string_value(json_object_get(change, "Path")));
	const char *copy = arena_strdup(pass->arena, text.data);
	str_done(&text);
	return copy;
}

Test(container_files, drift_is_what_somebody_changed)
{
	cr_expect_str_eq(drift("  fs_drift: report", "[{'Path': '/etc', 'Kind': 0},"
						     " {'Path': '/etc-x', 'Kind': 1},"
						     " {'Path': '/etc/x', 'Kind': 0}]"),
			 "/etc-x /etc/x ");
	cr_expect_str_eq(drift("  fs_drift: { mode: report, ignore: [/run/, /etc/x] }",
			       "[{'Path': '/run', 'Kind': 0}, {'Path': '/run/a', 'Kind': 1},"
			       " {'Path': '/running', 'Kind': 1}, {'Path': '/etc/x', 'Kind': 2},"
			       " {'Path': '/etc/xy', 'Kind': 2}]"),
			 "/running /etc/xy ");
	/* What drey has put there, and where something is mounted. */
	cr_expect_str_eq(drift("  fs_drift: report\n  configs: [{ source: c, target: /a/b/c }]",
			       "[{'Path': '/a', 'Kind': 1}, {'Path': '/a/b', 'Kind': 1},"
			       " {'Path': '/a/b/c', 'Kind': 1}, {'Path': '/a/b/d', 'Kind': 1},"
			       " {'Path': '/sbin/docker-init', 'Kind': 1}]"),
			 "/a/b/d ");
	/* What the engine has put there itself. */
	cr_expect_str_eq(drift("  fs_drift: report",
			       "[{'Path': '/.pivot_root347653429', 'Kind': 1},"
			       " {'Path': '/.pivot_root', 'Kind': 1},"
			       " {'Path': '/.pivot_root3x', 'Kind': 1}]"),
			 "/.pivot_root /.pivot_root3x ");
	cr_expect_str_eq(drift("  fs_drift: report", "[{'Path': 7}, 'x', {'Path': 'relative'}]"),
			 "");
}

Test(container_files, drift_is_reported_or_replaced)
{
	drift("  fs_drift: report", "[{'Path': '/x', 'Kind': 1}]");
	struct action *action = pass_compare("Container", "web");
	cr_expect_str_eq(action->warning, "files changed inside: /x");
	cr_expect_not(container_changes_path(action, "fs_drift[/x]"));
	drift("  fs_drift: replace", "[{'Path': '/x', 'Kind': 1}, {'Path': '/y', 'Kind': 2}]");
	action = pass_compare("Container", "web");
	cr_expect_eq(action->verdict, VERDICT_REPLACE);
	cr_expect(container_changes_path(action, "fs_drift[/x]"));
	cr_expect(strstr(pass_changes(action), "fs_drift[/y]: deleted -> (none) [replace]"), "%s",
		  pass_changes(action));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A manifest set: everything below one directory, loaded and checked whole before anything of it
 * is used. Immutable and shared by reference (set_ref/set_unref are safe from any thread).
 *
 * files -> documents -> templates expanded -> resources placed on hosts -> references resolved
 * per host -> decoded -> checked. One fault anywhere and there is no set, only diagnostics.
 */
#pragma once

#include "manifests/diagnostics.h"
#include "manifests/kind.h"

enum {
	MANIFEST_FILE_MAX = 8 * 1024 * 1024,   /* bytes in one file */
	MANIFEST_TOTAL_MAX = 64 * 1024 * 1024, /* bytes in all of a directory */
	MANIFEST_FILES_MAX = 20000,
	MANIFEST_DEPTH_MAX = 64,      /* nesting of YAML */
	MANIFEST_NODES_MAX = 2000000, /* nodes of a set after aliases and templates */
};

struct manifest_set;

struct manifest_options {
	const char *dir;
	const struct kind *const *kinds; /* every kind there is */
	size_t kind_count;
	/* Value of an environment variable, for the names that Project.spec.env lists; NULL:
	 * getenv(3). */
	const char *(*getenv)(void *ctx, const char *name);
	void *getenv_ctx;
	const char *version; /* drey's own, for Project.spec.requires */
	/* Called for each Host once all are known and nothing is wrong so far, before what is on
	 * them is looked into: whoever needs a host may begin to reach for it. The resource lives
	 * as long as the set, or until loading fails. NULL: nobody. */
	void (*host)(void *ctx, const struct resource *host);
	void *host_ctx;
};

/* Loads DIR. On success 0 and a set with one reference. On faults in the manifests -1,
 * ERROR_INVALID, and the diagnostics have them all; on trouble with the directory itself -1 and
 * *err alone. Warnings may be there on success too. */
MUST_CHECK int set_load(const struct manifest_options *options, struct diagnostics *diagnostics,
			struct manifest_set **ret_set, struct error *err);
/* The same for one text in memory; options->dir may be NULL, then manifests can name no files. */
MUST_CHECK int set_load_text(const struct manifest_options *options, const char *file,
			     const char *text, size_t len, struct diagnostics *diagnostics,
			     struct manifest_set **ret_set, struct error *err);
struct manifest_set *set_ref(struct manifest_set *set);
void set_unref(struct manifest_set *set);

/* Project name ("default" where no Project document is), never NULL. */
const char *set_project(const struct manifest_set *set);
/* The Project resource; NULL when none was written. */
const struct resource *set_project_resource(const struct manifest_set *set);
/* True when the set has neither Project nor Host: the engine of this machine is meant, as a
 * Host of the name "local". */
bool set_is_local(const struct manifest_set *set);
/* SHA-256 (hex) over all files' names and contents, env files' among them; not those of secrets. */
const char *set_digest(const struct manifest_set *set);

/* Blots out, in place, the value of each Secret that the manifests refer to, wherever it stands:
 * for texts that come from elsewhere, such as an engine's complaint. Values of less than four
 * bytes stay. */
void set_hide_secrets(const struct manifest_set *set, char *text);

/* Resources of SCOPE_PROJECT of one kind, in the order of their names. */
size_t set_count(const struct manifest_set *set, const char *kind);
const struct resource *set_at(const struct manifest_set *set, const char *kind, size_t index);
const struct resource *set_find(const struct manifest_set *set, const char *kind, const char *name);

/* The hosts (kind Host), in the order of their names. For a local set one that stands for
 * unix:///var/run/docker.sock. */
size_t set_host_count(const struct manifest_set *set);
const struct resource *set_host(const struct manifest_set *set, size_t index);

/* What should be on a host: instances of SCOPE_HOST, ordered by phase, then dependencies, then
 * name. */
struct desired {
	const struct resource *host;
	const struct resource *const *resources;
	size_t count;
	const struct resource *const *by_name; /* the same by kind and name; NULL: not sorted */
};
const struct desired *set_desired(const struct manifest_set *set, const char *host);
const struct resource *desired_find(const struct desired *desired, const char *kind,
				    const char *name);
/* Does `from` refer to `to`, or to what refers to it, and so on? Both of this host. */
bool desired_leads_to(const struct desired *desired, const struct resource *from,
		      const struct resource *to);

/* Does the host match the selector "key=value,key!=value,key" (Kubernetes' equality-based form,
 * on metadata.labels)? ERROR_INVALID for a malformed selector. */
MUST_CHECK int set_match_selector(const struct resource *resource, const char *selector,
				  bool *ret_match, struct error *err);

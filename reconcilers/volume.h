/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Volumes: what the table and comparison (volume.c) and the steps (volume_apply.c) share.
 *
 * An engine can't rename a volume. A restored one gets a new engine name (NAME.2) and keeps its
 * identity by label with a generation; everything that mounts or compares resolves through
 * volume_engine_name().
 *
 * An engine can't relabel a volume either, and whatever stands for "being filled" may be pruned by
 * somebody while it is. So it is the whole generation that is marked: above the first, one counts
 * only if a volume of its name and VOLUME_VERIFIED carries its uid in LABEL_VERIFIED, or a
 * container of ours mounts it. The marker is made after verification; `docker volume prune` may
 * take it once the generation is mounted. Markers are no Volume resources: never listed, never
 * left over.
 *
 * A changed Volume whose manifest says `on_change` gets a new generation as well, with its files
 * (migrate) or without (recreate). Its users stand still from the copy until they are made anew on
 * it, else what they write meanwhile would be missing there. So the marker also says which volume
 * was left behind and when its users had last been started: one that has run since makes the
 * generation outdated, and it counts as unfinished.
 */
#pragma once

#include "reconcilers/reconciler.h"

#define VOLUME_VERIFIED ".drey-verified"
#define LABEL_VERIFIED "drey.verified"
#define LABEL_LEFT "drey.left"	 /* of a marker: the volume whose place the generation takes */
#define LABEL_STILL "drey.still" /* of a marker: {"container ID": "StartedAt"} of its writers */

extern const struct schema volume_schema;

/* The engine's initial name of a Volume resource: spec.name, else metadata.name. */
const char *volume_first_engine_name(const struct resource *want);
/* The engine's name of generation N: the initial name, then NAME.2, NAME.3 ... In the arena. */
const char *volume_generation_name(const struct resource *want, int generation,
				   struct arena *arena);

/* The volume that serves a Volume resource on this host now: the highest generation of ours that
 * is labelled so and not being filled, else what has its initial name; NULL: none. */
const struct object *volume_current(const struct pass *pass, const char *name);
/* What is labelled a generation of it, whole or not. */
bool volume_is_generation_of(const struct object *object, const struct resource *want);
/* The generation that follows `after` (NULL: the first there is) below the current one; NULL: none
 * does. They are kept until somebody, or the Volume's `state: absent`, removes them. */
const struct object *volume_next_generation(const struct pass *pass, const struct object *current,
					    const struct object *after);
/* The engine's name of it (of what will be created, where there is none yet). Names without a
 * Volume document are the engine's own. Borrowed. */
const char *volume_engine_name(const struct pass *pass, const char *name);

/* Body of POST /volumes/create for one generation (1 for the first), drey's labels in it. As
 * container_create_body(). */
MUST_CHECK int volume_create_body(const struct pass *pass, const struct resource *want,
				  int generation, char ret_uid[33], json_t **ret_body,
				  struct error *err);

extern const struct importer volume_importer; /* volume_import.c */
/* Local volumes that are a memory file system (the driver mounts it for the first container that
 * uses it, and unmounts it with the last): they hold nothing while nobody uses them. options: of
 * the driver, as manifests and engines have them; may be NULL. */
bool volume_is_fleeting(const char *driver, const json_t *options);

/* Removes an engine's volume, and the marker that spoke for it. Success where it is gone already;
 * ERROR_CONFLICT where it is mounted, or another by now. Whether anybody still wants its data is
 * for the caller to know. */
MUST_CHECK int volume_delete(struct pass *pass, const struct object *volume, struct error *err);

int volume_apply(struct pass *pass, const struct action *action, struct error *err);

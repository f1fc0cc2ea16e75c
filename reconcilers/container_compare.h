/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the container kind that only look share. */
#pragma once

#include "reconcilers/container.h"

extern const struct reconciler reconciler_container;

/* Takes the answer of inspect: state, image, observed spec, and what is kept of it. */
MUST_CHECK int container_inspected(struct pass *pass, struct object *object, const json_t *reply,
				   struct error *err);

/* target -> volume name or host directory, of what the sources of volumes_from (resolved) mount; of
 * several the last. New reference. */
json_t *container_mounts_of_sources(const struct pass *pass, const json_t *volumes_from);

/* --- container_layer.c --- */

/* Does the answer of GET /containers/{id}/changes hold anything that the container wrote itself?
 * The engine makes mount points, and the init program, in its layer as well. */
bool container_layer_changed(const struct object *object, const json_t *changes);
/* Is what it writes into its layer to be kept: not made by drey, and nobody has agreed? */
bool container_guards_layer(const struct resource *want, const struct object *object);

/* --- container_drift.c --- */

extern const struct schema container_drift_schema;

/* Does the manifest ask for it? */
bool container_drift_asked(const struct resource *want);
/* Of the answer of GET /containers/{id}/changes what counts: not the mount points and what drey has
 * put there, not what the manifest leaves out, and of a path only its end. New reference. */
json_t *container_drift(const struct object *object, const struct resource *want,
			const json_t *changes);
/* As the manifest has it: a warning, or changes that replace. */
void container_drift_compare(struct action *action, struct arena *arena);
/* Is something mounted at the path, or below it? What the engine itself writes counts as such. */
bool container_is_mount_point(const struct object *object, const char *path);

/* Brings an object's observed spec into the terms of resolved specs: partners by name instead of
 * ID, endpoints of networks that are gone left out. */
void container_refine(const struct pass *pass, struct object *object);

/* Is it on the engine's bridge for lack of another? Not where no network is set up at all: the
 * engine records none then, and one that runs would be given an interface by connecting it. */
bool container_defaults_to_bridge(const json_t *resolved);

/* What inspect would show if a resolved spec were created on this host now. image: answer of its
 * inspect, or NULL. *ret_warning (arena, may stay as it is): what the host can't do of it. New
 * reference. */
json_t *container_expected(const struct pass *pass, const json_t *resolved, const json_t *image,
			   struct arena *arena, const char **ret_warning);

/* Rules across the fields of deploy.update_config. */
void container_update_verify(const struct resource *resource, struct diagnostics *diagnostics);

void container_compare(const struct pass *pass, struct action *action, struct arena *arena);
/* Fills in action->changes alone. */
void container_compare_fields(const struct pass *pass, struct action *action, struct arena *arena);

/* --- container_held.c: a replacement that failed and is left for a look --- */

struct held {
	const struct object *failed, *old; /* one has the name, the other stands aside */
};

/* Of the container that has the name; false: there is no other half. */
bool container_find_held(const struct pass *pass, const struct object *current,
			 struct held *ret_held);
/* Is there nothing new to try? want: may be NULL. */
bool container_stays_held(const struct pass *pass, const struct resource *want,
			  const struct held *held, struct arena *arena);
/* The verdict where that is so. */
void container_refuse_held(const struct pass *pass, struct action *action, struct arena *arena);

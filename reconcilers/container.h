/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Containers: what the table and the comparison (container.c and its codecs) and the steps that
 * change an engine (container_apply.c) need of each other.
 *
 * Terms. A spec is *resolved* when the names in it are the engine's: volumes by their current
 * generation, networks and namespace partners by their engine names, and everything that Docker
 * spells in several ways is spelt in one.
 */
#pragma once

#include "reconcilers/reconciler.h"

#define CONTAINER_NEW ".drey-new" /* suffix of a replacement that is not in place yet */
#define CONTAINER_OLD ".drey-old" /* suffix of what was replaced and is not removed yet */
/* Suffix of one half of a replacement that failed and is left for a look (failure_action: pause):
 * the old one, or where that serves on, the new one. */
#define CONTAINER_HELD ".drey-held"

/* Member of a create body that call_create() puts into the query; engines pass over it. */
#define CONTAINER_PLATFORM "drey.platform"

extern const struct schema container_schema;

/* --- table and comparison: pure --- */

/* The engine's name: container_name, else metadata.name. */
const char *container_engine_name(const struct resource *want);

/* Is it NAME.drey-new, .drey-old or .drey-held, half of a replacement that is not over? */
bool container_is_leftover(const char *engine_name);

/* depends_on: NAME's entry says so. */
bool container_restarts_after(const struct resource *want, const char *name);
bool container_requires(const struct resource *want, const char *name);

/* Is it part of a replacement that recovery would finish or undo? Pure. */
bool container_is_unfinished(const struct pass *pass, const struct object *object);

/* Is it NAME.drey-held, and belongs to NAME? */
bool container_is_held(const struct pass *pass, const struct object *object);

/* Why it can't be replaced, for what it has written into its own file system; NULL: it can. */
const char *container_why_layer_stays(const struct resource *want, const struct object *object);
/* Of an action that replaces: refuses it for that, or notes what it loses. */
void container_check_layer(struct action *action);

/* Does this container say that it shares a namespace of another one? */
bool container_joins_any(const struct object *object);
/* Does it say that it shares a namespace of the container of this ID and name? */
bool container_joins(const struct object *object, const char *id, const char *engine_name);
/* Does it mount the volume of this engine name so that it can write? */
bool container_writes_volume(const struct object *object, const char *engine_volume);
/* As container_joins(), and has it processes there? */
bool container_shares(const struct object *object, const char *id, const char *engine_name);

/* Copy of want's spec, resolved (see above). New reference. */
json_t *container_resolve(const struct pass *pass, const struct resource *want);

/*
 * Body of POST /containers/create with drey's labels in it. The primary network alone is in
 * NetworkingConfig (engines before API 1.44 take no more than one): the others are connected
 * between create and start, see container_networks().
 *
 * replaces: the container whose place it takes, or NULL. Then its anonymous volumes are mounted
 * by their names, every volume it mounts is attached without copying the image's files into it,
 * and the label drey.replaces tells its ID and restart policy.
 *
 * ret_uid: the label drey.uid, to recognise the object after a lost answer. *ret_body is the
 * caller's. ERROR_UNSUPPORTED for a field that this engine does not know.
 */
MUST_CHECK int container_create_body(const struct pass *pass, const struct resource *want,
				     const struct object *replaces, char ret_uid[33],
				     json_t **ret_body, struct error *err);

/* The engine's names of the networks the container is on, the primary one first (a JSON array of
 * strings, new reference); empty where the network mode is host, none or another container's. */
json_t *container_networks(const struct pass *pass, const struct resource *want);

/* EndpointSettings for one of them: {"Container": …, "EndpointConfig": this} is the body of
 * POST /networks/{name}/connect. New reference. */
json_t *container_endpoint(const struct pass *pass, const struct resource *want,
			   const char *engine_network);

/* Body of POST /containers/{id}/update for the changes of EFFECT_LIVE in a plan's action; NULL
 * when there is none that this call serves (a rename is such a change too). New reference. */
json_t *container_update_body(const struct pass *pass, const struct action *action);

/* Does the action hold a change of this effect, or at this path? */
bool container_changes_effect(const struct action *action, enum effect effect);
bool container_changes_path(const struct action *action, const char *path);
/* Is it a change of the endpoint on this network? Paths read "networks.NAME.member", and names
 * hold dots themselves. */
bool container_change_names(const struct change *change, const char *network);
/* Has its endpoint on Network/NETWORK a fixed MAC address, which POST connect of this engine
 * ignores? */
bool container_connect_loses_mac(const struct pass *pass, const struct resource *want,
				 const char *network);

/* container_home.c: the engine's name of the network that it was made on, without which the engine
 * would not start it; of one that is gone what the engine calls it. NULL where there is none, and
 * where the engine does not care (API < 1.44). */
const char *container_home(const struct pass *pass, const struct object *object);
/* The engine's name of a container that could not live on another network in the place of this one,
 * called new_name: it was made on this one, by its ID, or by a name that changes, or on one that is
 * gone. NULL: there is none. */
const char *container_bound_to(const struct pass *pass, const struct object *network,
			       const char *new_name);

/* Where a container is to be started whose home is gone: makes a network of that name, which
 * nothing is on. *ret_network (arena): its name, for container_home_let_go() once the container
 * runs; NULL: none was needed. */
MUST_CHECK int container_home_stand_in(struct pass *pass, const struct object *object,
				       const char **ret_network, struct error *err);
void container_home_let_go(struct pass *pass, const char *network);

/* Kinds of state as desired: "running" unless spec.state says otherwise. */
const char *container_wanted_state(const struct resource *want);

/* deploy.update_config: what becomes of a new container that does not prove itself. */
enum failure_action { FAILURE_ROLLBACK, FAILURE_PAUSE, FAILURE_CONTINUE };
enum failure_action container_failure_action(const struct resource *want);
bool container_wants_start_first(const struct resource *want);
/* How long one without a health check must stay up. */
int64_t container_monitor_ms(const struct pass *pass, const struct resource *want);
/* Of a replacement: may the new one start while the old one runs? Sets start_first, or where it is
 * asked for and can't be, order_reason. */
void container_decide_order(const struct pass *pass, struct action *action, struct arena *arena);

/* The name of the container whose network, IPC or PID namespace this one shares, of the form
 * that the manifest has (a resource's name); NULL when it shares none. `key`: "network_mode",
 * "ipc" or "pid". */
const char *container_partner(const struct resource *want, const char *key);

/*
 * What is kept of an inspect answer in object->inspect (the engine's own names):
 *   Id Name Created Image RestartCount ImageManifestDescriptor
 *   State{Status ExitCode StartedAt FinishedAt Error OOMKilled Health{Status}}
 *   Config{Image Hostname Healthcheck StopTimeout}
 *   HostConfig{RestartPolicy AutoRemove NetworkMode IpcMode PidMode PortBindings Binds Mounts}
 *   Mounts[{Type Name Source Destination RW}]
 *   NetworkSettings.Networks{name: {NetworkID IPAMConfig Aliases MacAddress DriverOpts}}
 */
json_t *container_trim(const json_t *inspect);

/* container_import.c */
extern const struct importer container_importer;

/* --- carrying out: container_apply.c, container_recover.c --- */

int container_apply(struct pass *pass, const struct action *action, struct error *err);
int container_ready(struct pass *pass, const struct action *action, struct readiness *ret_readiness,
		    struct error *err);
int container_recover(struct pass *pass, bool *ret_changed, struct error *err);

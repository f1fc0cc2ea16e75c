/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kind is one file: a table of fields and, for kinds that live on an engine, how to see and
 * change them. No parse, print, diff or compare functions: those come from the table.
 *
 * The way of a pass: observe (network, fills `struct observed`) -> compare (pure) -> apply
 * (network). See controller/plan for what drives it.
 */
#pragma once

#include "controller/base/arena.h"
#include "controller/base/error.h"
#include "controller/base/log.h"
#include "controller/host/engine.h"
#include "manifests/set.h"
#include "reconcilers/ownership.h"

struct container_seen; /* reconcilers/container_files.h */

/* Something on an engine, ours or not. Lives in the pass's arena. */
struct object {
	const struct kind *kind;
	const char *id; /* what the API calls take: container and network ID, volume name */
	const char *engine_name; /* without a leading slash */
	bool ours;		 /* labels complete, and of this project */
	struct ownership own;	 /* zero where it is not drey's */
	const json_t *labels;	 /* as on the object, never NULL */
	const json_t *observed;	 /* canonical spec of what is there; NULL where not inspected */
	const json_t *inspect;	 /* the engine's answer; NULL where not inspected */
	/* Container that was not inspected: Mounts and NetworkSettings as in the list; or NULL. */
	const json_t *listed;
	const char *state;    /* container: created, running, paused, restarting, exited, dead */
	const char *image_id; /* container: the image it runs */
	bool unfinished;      /* a volume that is still being filled: not the one of its name yet */
	/* An adopted container has changes in its own file system (GET .../changes). */
	bool layer_changed;
	const json_t *drift; /* container, where fs_drift asks: [{Path, Kind}], or NULL */
	const struct container_seen *seen; /* container: the files that it should have been given */
	size_t seen_count;
};

/* What a host really has. Filled once per pass, then read only. */
struct observed {
	const json_t *info; /* GET /info */
	uint64_t names;	    /* of the IDs and names in all lists: see pass_has_moved() */
	int engine_api;	    /* minor number of the API that was agreed on; 0: not known */
	struct object **objects;
	size_t count, room;
	bool leased;	/* somebody has the engine's lease, or has left it */
	bool helped;	/* a helper of the project is there, at work or left */
	json_t *images; /* reference or ID -> answer of image inspect; null: not there */
};

enum verdict {
	VERDICT_KEEP, /* in step */
	VERDICT_CREATE,
	VERDICT_UPDATE,	 /* live: no new object */
	VERDICT_REPLACE, /* a new object in place of the old one */
	VERDICT_REMOVE,
	VERDICT_REFUSE,	  /* out of step, and drey will not: foreign object, data would be lost */
	VERDICT_LEFTOVER, /* ours, no longer declared, prune is off: listed, no difference */
};
const char *verdict_name(enum verdict verdict); /* "create" */

/* One line of a plan. Lives in the plan's arena. */
struct action {
	enum verdict verdict;
	const struct kind *kind;
	const char *name;	       /* the resource's (or the leftover's) */
	const struct resource *want;   /* NULL: remove, leftover */
	const struct object *have;     /* NULL: create */
	const struct object *namesake; /* update, replace: has the name that it shall have, and gets
					* another by the same plan; or NULL */
	const struct object *beside;   /* what it takes the place of, which goes once its users have
					* moved over; or NULL */
	struct changes changes;	       /* update, replace: which fields */
	const char *reason;	       /* one sentence: why refused, replaced, removed; or NULL */
	const char *warning;	       /* one sentence for the reader, or NULL */
	bool known_after_pull;	       /* the image is not there: its defaults are unknown */
	bool disruptive;	       /* a running service stops for it */
	bool loses_data;	       /* only with consent in the manifests */
	bool backup_first;	       /* back up before it */
	bool start_first;	       /* replace: the new one runs before the old one stops */
	const char *order_reason;      /* why not, where it is asked for; or NULL */
	bool restart;		       /* update: stopped and started, see reason */
	const size_t *after;	       /* indices of actions that come before */
	size_t after_count;
	size_t after_required; /* so many of them, the first, must have succeeded */
};

enum progress_kind {
	PROGRESS_STEP,	/* text: "create", "start", "wait until healthy" */
	PROGRESS_PULL,	/* text: image; item: layer; current/total bytes */
	PROGRESS_BYTES, /* text: what; current bytes, total 0 when unknown */
};

struct progress {
	enum progress_kind kind;
	const char *host, *resource; /* "Container/web"; may be NULL */
	const char *text, *item;
	int64_t current, total;
};

struct pass;

/* What the caller of a pass supplies. Every member may be NULL. */
struct pass_hooks {
	void *ctx;
	void (*progress)(void *ctx, const struct progress *progress);
	/* Backs up the volumes of a container (stopped, where its Backup says so) or one volume,
	 * because a change could cost data. No Backup names a directory for it: ERROR_REFUSED. */
	int (*backup)(void *ctx, struct pass *pass, const struct resource *resource,
		      const struct object *object, struct error *err);
	/* Fills a new generation of a volume that is to be replaced (volume.h). Its users are
	 * stopped, and stay so until they are made anew on it: see settle. */
	int (*migrate)(void *ctx, struct pass *pass, const struct action *action,
		       struct error *err);
	/* The plan is over, with the engine's lease still held: sets going again whom `migrate` has
	 * stopped and nothing has made anew, and removes helpers that were left. */
	void (*settle)(void *ctx, struct pass *pass);
	/* Tells of steps of a multi-step action for the journal (information only). */
	void (*journal)(void *ctx, const char *host, const char *resource, const char *step);
	/* True when the run shall end at the next safe point. */
	bool (*cancelled)(void *ctx);
};

/* One pass over one host. Owned by one thread. */
struct pass {
	struct arena *arena;
	struct engine *engine;
	const struct manifest_set *set;
	const struct desired *desired;
	const char *project;
	const char *revision; /* of the manifests, for the label */
	struct observed observed;
	struct pass_hooks hooks;
	const struct logger *log;
	struct pass_request *queue, *queue_end; /* reads still to do, see pass_queue() */
	/* What registries say of tags that always follow them: reference -> digest, or {"error":
	 * text}. The caller's, who keeps it between passes; NULL: pass_observe() makes one. */
	json_t *digests;
	int monitor_ms; /* gate without a healthcheck; 5000 */
	bool writes;	/* it may change the host: what a dead drey's lease has left is seen too */
	bool exclusive; /* nobody else changes the engine: recovery may begin */
	/* What is foreign is inspected as well, and kept whole: for who wants to know all. */
	bool whole;
	struct stilled *stilled; /* what hooks.migrate has stopped; its own */
};

struct importer;
/* Does what is wanted do its work? */
struct readiness {
	const char *why; /* not: one sentence in the pass's arena; NULL: it does */
	bool hopeless;	 /* waiting does not help */
};

struct reconciler {
	struct kind kind;

	/* Kinds that live on an engine; NULL for the others. */
	const char *list_path; /* GET that lists all of them: "/networks" */
	/* Queues reads that need no list, so that they go out with it. May be NULL. */
	void (*prepare)(struct pass *pass);
	/* Takes the list: adds objects, queues inspects with pass_queue(). */
	int (*listed)(struct pass *pass, const json_t *list, struct error *err);
	/* Once all has been read, before compare: resolves what spans objects. May be NULL. */
	int (*observed)(struct pass *pass, struct error *err);
	/* Pure: sets verdict, changes, reason ... of a resource that is wanted. have may be NULL;
	 * foreign objects of that name come as `have` with ours == false. */
	void (*compare)(const struct pass *pass, struct action *action, struct arena *arena);
	/* Does what the verdict says (create, update, replace, remove). Idempotent: whatever a
	 * lost answer or an earlier crash has left is finished or undone. */
	int (*apply)(struct pass *pass, const struct action *action, struct error *err);
	/* Asks the engine. NULL: what is there is ready. */
	int (*ready)(struct pass *pass, const struct action *action,
		     struct readiness *ret_readiness, struct error *err);
	/* Finishes or undoes what an earlier run left behind (NAME.drey-new, NAME.drey-old),
	 * judged by names, labels and states alone. Called before compare when writing is
	 * allowed; sets *ret_changed when it did something. May be NULL. While pass->exclusive is
	 * false it changes nothing, and sets *ret_changed when there is something to be done: what
	 * looks like leavings may be the work of another drey, half way through. */
	int (*recover)(struct pass *pass, bool *ret_changed, struct error *err);
	/* How a manifest is written for what is there, reconcilers/import.h. */
	const struct importer *importer;
};

/* All kinds, in the order of their phase. */
const struct reconciler *const *reconcilers_all(size_t *ret_count);
const struct reconciler *reconciler_find(const char *kind); /* NULL: no such kind */
/* The same as plain kinds, for set_load(). */
const struct kind *const *kinds_all(size_t *ret_count);

/* Observing: reads are queued and sent in rounds, many in flight. `done` gets the answer, or
 * NULL and the error (404 is common: things vanish between list and inspect). It may queue
 * more. */
void pass_queue(struct pass *pass, const char *path,
		int (*done)(struct pass *pass, void *ctx, json_t *reply, const struct error *failed,
			    struct error *err),
		void *ctx);
/* The same for an answer that is no JSON; no more than bytes_max of it are read. */
void pass_queue_bytes(struct pass *pass, const char *path, size_t bytes_max,
		      int (*done)(struct pass *pass, void *ctx, const char *bytes, size_t len,
				  const struct error *failed, struct error *err),
		      void *ctx);
/* Lists everything of every kind, drains the queue, calls `observed`. Starts from an empty
 * observed. */
MUST_CHECK int pass_observe(struct pass *pass, struct error *err);
/* Lists everything again: does the host have other objects, or other names for them, than when it
 * was observed? States and settings don't count: changing those twice does no harm. */
MUST_CHECK int pass_has_moved(struct pass *pass, bool *ret_moved, struct error *err);
/* The same for what only registries know; `auth` (may be NULL) is copied and wiped. */
void pass_queue_registry(struct pass *pass, const char *path, const char *auth,
			 int (*done)(struct pass *pass, void *ctx, json_t *reply,
				     const struct error *failed, struct error *err),
			 void *ctx);
struct object *pass_add_object(struct pass *pass, const struct kind *kind, const char *id,
			       const char *engine_name, const json_t *labels);
/* Whether it is ours, and which resource it is: by its labels, and by metadata.was of what they
 * name. Called for each object that is added; again where an image's labels are known. */
bool pass_read_ownership(const struct pass *pass, struct object *object,
			 const json_t *image_labels);
/* By the name the engine uses; by our label's name (the rightly named one first). NULL: none. */
struct object *pass_find_engine_name(const struct pass *pass, const struct kind *kind,
				     const char *engine_name);
struct object *pass_find_ours(const struct pass *pass, const struct kind *kind, const char *name);
/* The answer of inspect for a reference or ID (Id, RepoTags, RepoDigests, Config, Os,
 * Architecture), NULL when the image is not on the host. */
const json_t *pass_image(const struct pass *pass, const char *reference);
/* Queues its inspect, once. */
void pass_queue_image(struct pass *pass, const char *reference);
/* The engine's name of a declared resource: its row `container_name` or `name`, else its own. */
const char *resource_engine_name(const struct resource *resource);
/* metadata.adopt: true. */
bool resource_adopts(const struct resource *resource);

void pass_progress(struct pass *pass, const struct action *action, const char *text);

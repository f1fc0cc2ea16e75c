/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a plan comes to be. A draft holds one candidate per declared resource and one per object
 * that is ours but not declared; each stage (compare, cascade, leftovers, selection) marks
 * candidates, and the last one puts those that stay into order.
 *
 * Everything here is pure. Memory is the plan's arena's.
 */
#pragma once

#include "controller/plan/plan.h"

/* A reference between candidates, from the one that needs to the one that is needed. */
struct need {
	size_t index;		   /* of the candidate that is needed */
	const struct field *field; /* the top-level row in which the reference stands */
	bool optional;		   /* comes first, but need not succeed */
};

struct candidate {
	struct action action;
	const char *host;
	bool declared;	/* false: an object that no manifest names */
	bool duplicate; /* an object that claims to be a resource which another object is */
	bool retired;	/* an object whose place another one of the same plan takes */
	bool selected;	/* stays in the plan */
	VEC(struct need) needs;
	VEC(size_t) after; /* candidates that come first, and must succeed */
	VEC(size_t) after_optional;
	size_t position; /* in the finished plan */
};

struct draft {
	const struct pass *pass;
	const struct plan_options *options;
	struct arena *arena;
	struct candidate *items;
	size_t count, declared;
	json_t *index; /* "Kind/name" -> number of the declared candidate */
	VEC(const char *) warnings;
	size_t unfinished; /* changes that apply finishes or undoes */
	bool *target_hits;
};

/* NULL: no such declared resource. */
struct candidate *draft_find(const struct draft *draft, const char *kind, const char *name);

/* One declared resource against what is there. */
void draft_compare(struct draft *draft, struct candidate *candidate);
/* What follows from a replaced or missing provider: sharers of its namespaces, users of a
 * network. */
void draft_cascade(struct draft *draft);
/* A container that would write a volume that a foreign one writes. True: it is refused now. */
bool plan_refuse_for_writers(struct draft *draft, struct action *action);
/* Refuses the replacement of a volume or network whose users can't all come along; true: it did.
 * And what users go through by one that is not refused. */
bool draft_refuse_for_users(struct draft *draft, struct action *action);
void draft_note_users(struct draft *draft, struct action *action);
/* Objects of ours that nobody declares. */
void draft_leftovers(struct draft *draft);
/* Leaves out what --selector and --target leave out. */
MUST_CHECK int draft_select(struct draft *draft, struct error *err);
/* Of a plan for the users of a volume: all else is kept. */
void draft_keep_others(struct draft *draft);
/* Turns the leftovers that stay into removals, within the cap. */
MUST_CHECK int draft_prune(struct draft *draft, struct error *err);
/* Turns what is retired into removals, where all its users move over. */
void draft_retire(struct draft *draft);
/* Order and edges; fills *ret_plan. */
void draft_finish(struct draft *draft, struct plan *ret_plan);

/* NAME.drey-new, NAME.drey-old and NAME.drey-held, helpers of a restore: steps of an action, which
 * recovery finishes or undoes. */
bool plan_is_transient(const struct object *object);
/* A container's endpoints and mounts, as far as inspect shows them: does it use the other? */
bool plan_object_uses(const struct object *container, const struct object *other);
/* Would the container not start without the network, whether or not it is on it? */
bool plan_object_needs(const struct draft *draft, const struct object *container,
		       const struct object *network);
bool plan_is_running(const struct object *object);
/* What is planned for the object of a declared resource; NULL: it is none. */
const struct action *plan_action_on(const struct draft *draft, const struct object *object);
/* Why a container that shares the namespaces of one that is to be replaced can't follow it; NULL:
 * it can. It would be left in namespaces that are gone. */
const char *plan_why_not_along(struct draft *draft, const struct object *sharer);
/* The action is not carried out: what there is stays as it is. */
void plan_refuse(struct action *action, const char *reason);
/* Is it the object of another resource that is declared, whatever name it bears just now? */
bool plan_is_anothers(const struct pass *pass, const struct object *object,
		      const struct resource *want);
/* Refused, but there and drey's: out of step, yet of use to those that need it. */
bool plan_is_usable(const struct action *action);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One host, one pass: open -> plan -> execute -> close. Blocking, straight-line, in whichever one
 * thread owns the visit. Both the commands and the controller do their work by visits.
 */
#pragma once

#include "controller/base/log.h"
#include "controller/host/tunnel.h"
#include "controller/plan/execute.h"
#include "controller/plan/plan.h"

/* A host as the manifests describe it, reached: its tunnel and its engine. Kept between visits
 * by the controller. */
struct connection {
	char *name;
	struct tunnel_host *tunnel_host; /* NULL for unix:// */
	struct engine *engine;		 /* NULL until opened */
};

/* Reads the Host resource's spec, adds it to the tunnel; contacts nobody. */
MUST_CHECK int connection_init(struct connection *connection, struct tunnel *tunnel,
			       const struct resource *host, const struct logger *log,
			       struct error *err);
/* Connects and negotiates if there is no engine yet (or the last one was closed). */
MUST_CHECK int connection_open(struct connection *connection, const struct resource *host,
			       const struct logger *log, struct error *err);
/* From another thread, while the connection's owner may be opening or using it, but not resetting
 * it: what runs ends with ERROR_CANCELLED. */
void connection_interrupt(struct connection *connection);
/* Drops the engine; the next connection_open() makes a new one. */
void connection_reset(struct connection *connection);
void connection_done(struct connection *connection);

struct visit {
	const struct resource *host;
	struct connection *connection; /* borrowed */
	struct manifest_set *set;      /* a reference of its own */
	struct arena *arena;
	struct pass pass;
	struct plan plan;
	struct results results;
	int host_lock; /* -1, or a shared hold on the host: nobody backs it up meanwhile */
	bool planned, recovered; /* recovered: an earlier run's leavings were put right */
	struct error err;	 /* why the host could not be planned */
};

struct visit_options {
	const char *revision;
	const struct logger *log;
	struct pass_hooks hooks;
	struct plan_options plan;
	/* Where the host is locked while it may be changed; NULL: it is only looked at. */
	const char *state_dir;
	bool write; /* recovery of interrupted replacements is allowed */
};

/* Observes and plans. On failure visit->err tells, and -1. */
MUST_CHECK int visit_plan(struct visit *visit, struct connection *connection,
			  struct manifest_set *set, const struct resource *host,
			  const struct visit_options *options);
/* Carries the plan out: visit->results. */
void visit_execute(struct visit *visit, void (*done)(void *ctx, const struct result *result),
		   void *ctx);
void visit_done(struct visit *visit);

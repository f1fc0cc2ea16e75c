/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pass without an engine: manifests from text, and objects from recorded answers, brought in by
 * the same functions that a real pass uses. One at a time; for one test.
 */
#pragma once

#include "reconcilers/container_compare.h"
#include "reconcilers/network.h"
#include "reconcilers/volume.h"

extern const struct reconciler reconciler_network, reconciler_volume;

void pass_setup(void);
void pass_teardown(void);

/* Loads manifests (a whole set in one text); asserts that they are right. The host is "local". */
struct pass *pass_manifests(const char *yaml);
/* What is said of faulty ones, one fault a line. */
const char *pass_faults(const char *yaml);
/* JSON written with single quotes; lives as long as the test. */
json_t *pass_json(const char *text);
/* A recorded answer: tests/unit/data/NAME.json. */
json_t *pass_data(const char *name);

/* The engine's API version, 41 at first: 45 for 1.45. Nothing can be sent to it. */
void pass_api(int api);
/* GET /info of the host: members over those of a plain one. */
void pass_info(const char *json);
/* Answer of image inspect for a reference. */
void pass_has_image(const char *reference, json_t *inspect);
/* Answer of container inspect. drey's labels for this resource are added unless name is NULL. */
struct object *pass_has_container(json_t *inspect, const char *name);
/* An element of GET /networks or of Volumes in GET /volumes; drey's labels as above. */
struct object *pass_has_network(json_t *item, const char *name);
struct object *pass_has_volume(json_t *item, const char *name);

/* Once all is there: what reconcilers do between observing and comparing; then compares a
 * declared resource. The action lives as long as the test. */
struct action *pass_compare(const char *kind, const char *name);
/* The changes in one line: "path: before -> after [effect]; ...". */
const char *pass_changes(const struct action *action);

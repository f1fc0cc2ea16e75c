/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A schema with a row of every type, and helpers to read YAML by it. */
#pragma once

#include "manifests/schema.h"

extern const struct schema test_schema;

/* YAML of a mapping -> canonical spec; what was wrong is in fixture_faults(). New reference. */
json_t *fixture_decode(const struct schema *schema, const char *yaml);
/* As fixture_decode(), of one value of a row. */
json_t *fixture_value(const struct field *field, const char *yaml);
/* The messages of the last call, one a line, without places. */
const char *fixture_faults(void);
/* Secrets that the last fixture_decode() noted. */
const json_t *fixture_secrets(void);
/* Scalars of this text are secrets in the next calls; NULL: none. */
void fixture_secret(const char *text);

/* JSON written with single quotes; asserts that it is well-formed. New reference. */
json_t *fixture_json(const char *text);
/* Asserts that both are equal and says what they are otherwise. Takes both. */
void expect_json(json_t *got, json_t *expected);

void fixture_setup(void);
void fixture_teardown(void);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the schema engine share; for manifests/ and for types of values elsewhere. */
#pragma once

#include "manifests/schema.h"

/* The row's fallback as JSON, new reference; NULL: it has none. Fast for what rows really have,
 * since a pass asks for it once per row and container. */
json_t *field_fallback(const struct field *field);
/* True when members of the object are translated by their own pointers (see struct field). */
bool schema_has_pointers(const struct schema *schema);
/* The row that a misspelt key most likely meant, or NULL. */
const char *schema_nearest_key(const struct schema *schema, const char *key);

/* Text of a scalar node; NULL after a diagnosis ("expected WHAT, found a list"). */
const char *decode_scalar(struct decode *decode, const struct node *node, const char *what);
/* A string that matches the row's pattern; NULL after a diagnosis. New reference. */
json_t *decode_string(struct decode *decode, const struct field *field, const struct node *node);
/* "'x' is none of ...; did you mean '...'?" by the row's choices. */
void decode_choice_fault(struct decode *decode, const struct field *field, const struct node *node);
/* Text against the row's pattern; false after a diagnosis at the node. */
bool decode_pattern(struct decode *decode, const struct field *field, const struct node *node,
		    const char *text);

/* Diagnoses the required rows that the node, a mapping or a scalar in its place, has not. */
void decode_required(struct decode *decode, const struct schema *schema, const struct node *node);

/* Which element of a list of objects this is: its FIELD_KEY members (all members where none is
 * one), with fallbacks in place of silence. Appended; for comparing, not for people. */
void object_identity(const struct schema *schema, const json_t *object, struct str *out);
/* The same for people: its short form, or the members that identify it. */
void object_label(const struct schema *schema, const json_t *object, struct str *out);

/* Text for people: as it is, or in double quotes with escapes where it is empty, holds control
 * characters or characters that turn the direction of text, or begins or ends with a space. */
void print_text(const char *text, struct str *out);
/* Any JSON in one line of YAML that reads back as it was. */
void print_flow(const json_t *value, struct str *out);
/* A string as a YAML scalar, quoted where it would read as something else. */
void print_yaml_string(const char *text, bool flow, struct str *out);
/* Formats of the quantities; anything but an integer prints as flow. */
void print_size(const struct field *field, const json_t *value, struct str *out);
void print_duration(const struct field *field, const json_t *value, struct str *out);
void print_cpus(const struct field *field, const json_t *value, struct str *out);

/* JSON Schema of a mapping with the schema's rows; new reference. */
json_t *json_schema_object(const struct schema *schema);
/* A POSIX extended expression in the syntax of ECMA 262, which editors use; the second one also
 * matches text with a reference. New references. */
json_t *json_schema_pattern(const char *expression);
json_t *json_schema_pattern_or_reference(const char *expression);
/* A schema that also takes a reference such as ${host.vars.x}, which any value may be. Takes
 * `schema`, new reference. */
json_t *json_schema_or_reference(json_t *schema);

/* What a row says of its default and of its changes, in words. The quote stands around values. */
void print_default(const struct field *field, const char *quote, struct str *out);
const char *effect_text(const struct field *field);
/* Does the engine know of it? */
bool field_is_compared(const struct field *field);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The schema: one table per kind, the only list of its fields.
 *
 * A value, once decoded, is a JSON tree in *canonical form*: the Compose long form with typed
 * scalars (bytes, nanoseconds, nano-CPUs as integers), so that printing, comparing, copying and
 * digesting need no code per field. A spec is a JSON object that holds the keys that were
 * written and no others. There is no C struct beside the table: it would be a second list.
 *
 * From the rows come: decoding YAML with positions, validation, defaults, the create body,
 * reading back what is there, the diff, the plan's text, the edges between resources, the JSON
 * Schema, the reference pages, `drey explain`, the fuzzer's dictionary.
 *
 * Everything here is pure: no I/O, no threads, no clock.
 */
#pragma once

#include "controller/base/arena.h"
#include "controller/base/error.h"
#include "controller/base/str.h"
#include "manifests/diagnostics.h"
#include "manifests/node.h"

#include <jansson.h>
#include <stdbool.h>

struct field;
struct schema;

/* Whose default it is when the manifest is silent; decides how silence compares. */
enum origin {
	ORIGIN_NONE,   /* drey's own field, or nothing stands for silence: absent equals absent */
	ORIGIN_ENGINE, /* a constant of the engine: `fallback`; something else is a difference */
	ORIGIN_IMAGE,  /* the image's value, merged as the row's codec says; then `fallback` */
	ORIGIN_DAEMON, /* the daemon's configuration or version fills it in and the API does not
			* reveal it: compared only when written */
};

/* What a difference in this field takes. */
enum effect {
	EFFECT_NONE,      /* drey's own behaviour: nothing to do on the engine */
	EFFECT_LIVE,      /* POST /containers/{id}/update */
	EFFECT_CONNECT,   /* network connect and disconnect */
	EFFECT_STATE,     /* start, stop, pause, unpause */
	EFFECT_REPLACE,   /* a new object in place of the old */
	EFFECT_FORBIDDEN, /* would cost data: refused, done by hand or by restore */
};

enum field_flags {
	FIELD_REQUIRED = 1 << 0,
	FIELD_SECRET = 1 << 1,   /* its value is a secret however it is written */
	FIELD_KEY = 1 << 2,      /* this member identifies an element in a list of objects */
	FIELD_PATH = 1 << 3,     /* a file beside the manifest: relative to it, stays in DIR */
	FIELD_PROJECT = 1 << 4,  /* not interpolated per host: needed before placement */
};

/* How a canonical value and the engine's JSON correspond. NULL members mean "as it is". */
struct codec {
	/* canonical -> engine: new reference, or NULL to write nothing. */
	json_t *(*encode)(const struct field *field, const json_t *value);
	/* engine -> canonical: new reference; NULL when the engine's value stands for silence.
	 * `at` is what stands at field->inspect (NULL when nothing does), `whole` the document. */
	json_t *(*decode)(const struct field *field, const json_t *at, const json_t *whole);
	/* ORIGIN_IMAGE: what create would make of the written value (NULL: silent) and the
	 * image's Config. New reference, or NULL for nothing. */
	json_t *(*inherit)(const struct field *field, const json_t *written, const json_t *spec,
			   const json_t *image_config);
};

/* What decoding knows and where it reports. */
struct decode {
	struct diagnostics *diagnostics;
	json_t *secrets; /* filled: {"field": true} or {"environment": {"PASSWORD": true}} */
};

/* A type of values: everything that can be done with one. */
struct value_type {
	const char *name; /* as the reference pages say it: "size", "list of strings" */
	/* YAML -> canonical, new reference. NULL after a diagnosis. */
	json_t *(*parse)(struct decode *decode, const struct field *field, const struct node *node);
	/* canonical -> one line for people: 512M, 1m30s, ["a", "b"]. */
	void (*print)(const struct field *field, const json_t *value, struct str *out);
	/* NULL: json_equal. Both are canonical, neither NULL. */
	bool (*equal)(const struct field *field, const json_t *a, const json_t *b);
	/* JSON Schema 2020-12 of what may be written, short forms included; new reference. */
	json_t *(*json_schema)(const struct field *field);
};

extern const struct value_type type_string;     /* json string */
extern const struct value_type type_int;        /* json integer within field->min..max */
extern const struct value_type type_bool;       /* YAML 1.2 true/false only */
extern const struct value_type type_size;       /* bytes: 512m, 1.5gb (Compose byte values) */
extern const struct value_type type_duration;   /* ns: 1m30s (Compose durations) */
extern const struct value_type type_cpus;       /* nano-CPUs from a decimal: 0.5 */
extern const struct value_type type_enum;       /* one of field->choices */
extern const struct value_type type_command;    /* list of strings, or a string split as a shell does */
extern const struct value_type type_strings;    /* list of strings, in order */
extern const struct value_type type_string_set; /* list of strings, order is nothing, unique */
extern const struct value_type type_map;        /* string -> string; also a list of K=V */
extern const struct value_type type_object;     /* field->of */
extern const struct value_type type_objects;    /* list of field->of, short or long form */
extern const struct value_type type_object_map; /* name -> field->of; also a list of names */
extern const struct value_type type_any;        /* any YAML as JSON: template values, variables */

struct field {
	const char *key;
	const struct value_type *type;
	const struct schema *of;          /* type_object, type_objects, type_object_map */
	const char *const *choices;       /* type_enum: NULL-terminated */
	int64_t min, max;                 /* type_int, type_size, type_duration; both 0: no bounds */
	const char *pattern;              /* POSIX extended expression for strings and map keys */
	const char *api;                  /* JSON pointer (RFC 6901) into the create body; NULL: none */
	const char *inspect;              /* pointer into inspect's answer; NULL: as `api` */
	const struct codec *codec;        /* NULL: as it is both ways */
	enum origin origin;
	const char *fallback;             /* canonical JSON text of the default: "\"no\"", "[]" */
	enum effect effect;
	unsigned since;                   /* minor API version that brought it: 44 for 1.44 */
	unsigned flags;                   /* enum field_flags */
	const char *ref;                  /* kind that this string, or each map key, names */
	/* Which kind the value names, where that depends on its object; NULL: none. */
	const char *(*ref_of)(const json_t *object);
	const char *example;              /* YAML, shown in the reference and tried by the tests */
	const char *doc;                  /* one sentence; required */
};

/* A one-line form of an object ("8080:80/tcp"). */
struct short_form {
	const char *syntax; /* "[HOST_IP:][HOST:]CONTAINER[/PROTOCOL]" */
	/* Text -> array of canonical objects (a port range makes several). NULL with *err set. */
	json_t *(*expand)(const char *text, struct error *err);
	/* Canonical object -> short text for plans; false when it has none. */
	bool (*print)(const json_t *object, struct str *out);
};

struct schema {
	const char *name;
	const char *doc;
	const struct field *fields;
	size_t count;
	const struct short_form *short_form; /* NULL: long form only */
};

const struct field *schema_field(const struct schema *schema, const char *key);

/* Decodes a mapping. Unknown keys, wrong types, missing required keys are diagnosed, all of
 * them. The object returned (new reference) holds what could be decoded; NULL if not a mapping. */
json_t *schema_decode(const struct schema *schema, struct decode *decode, const struct node *node);

/* The written value of a top-level key, or NULL; asserts that the schema has such a row. */
const json_t *schema_get(const struct schema *schema, const json_t *spec, const char *key);
/* The same, or else the row's fallback; new reference, NULL when there is neither. */
json_t *schema_get_default(const struct schema *schema, const json_t *spec, const char *key);

/* The create body: every written row with an `api` pointer is encoded into it. Rows newer than
 * engine_api are an error that names field and versions. */
MUST_CHECK int schema_encode(const struct schema *schema, const json_t *spec, int engine_api,
			     json_t *body, struct error *err);

/* Canonical spec of what an inspect answer shows: every row with a pointer. New reference. */
json_t *schema_observe(const struct schema *schema, const json_t *inspect);

/* What the engine would show if the spec were created from scratch on this image: written values
 * over the image's over the engine's constants. Rows of ORIGIN_DAEMON that are not written stay
 * absent, which compares with anything. image_config NULL: rows of ORIGIN_IMAGE only when
 * written. New reference. */
json_t *schema_expect(const struct schema *schema, const json_t *spec, const json_t *image_config);

/* One difference. before/after are borrowed from expected and observed; NULL: not there. */
struct change {
	const struct field *field; /* top-level row */
	const char *path;          /* "environment.PATH", "ports[8080:80/tcp]", "image" */
	const json_t *before, *after;
	enum effect effect;
};

struct changes {
	struct arena *arena; /* borrowed: paths live in it */
	VEC(struct change) list;
};

/* Differences between what is there and what should be, row by row; maps per key, objects per
 * member, lists of objects and sets per element. `ignore` is a JSON array of paths
 * ("environment", "environment[PATH]", "labels.x"), or NULL. */
void schema_diff(const struct schema *schema, const json_t *observed, const json_t *expected,
		 const json_t *ignore, struct changes *changes);

/* One line for people. NULL prints as "(none)". */
void schema_print_value(const struct field *field, const json_t *value, struct str *out);
/* YAML of a whole spec in the schema's order. `secrets` as in struct decode: those values are
 * written as "***". parse(print(x)) is x where nothing is masked. */
void schema_print(const struct schema *schema, const json_t *spec, const json_t *secrets,
		  unsigned indent, struct str *out);
/* Copy of a spec with the secrets replaced by "***". New reference. */
json_t *schema_mask(const struct schema *schema, const json_t *spec, const json_t *secrets);

/* Calls fn for each reference a spec makes: kind, name and the path it stands at (for
 * node_find). */
void schema_references(const struct schema *schema, const json_t *spec,
		       void (*fn)(void *ctx, const char *kind, const char *name, const char *path),
		       void *ctx);

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
 * Everything here is pure: no I/O, no threads, no clock. Trees that a manifest set has made are
 * read by several threads at once: jansson counts references atomically where the compiler has
 * the builtins (checked when schema.c is compiled), and reading changes nothing else. Nobody
 * changes a tree that somebody else may see.
 */
#pragma once

#include "controller/base/arena.h"
#include "controller/base/error.h"
#include "controller/base/str.h"
#include "manifests/diagnostics.h"
#include "manifests/node.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct field;
struct patterns;
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
	EFFECT_NONE,	  /* drey's own behaviour: nothing to do on the engine */
	EFFECT_LIVE,	  /* POST /containers/{id}/update */
	EFFECT_CONNECT,	  /* network connect and disconnect */
	EFFECT_STATE,	  /* start, stop, pause, unpause */
	EFFECT_REPLACE,	  /* a new object in place of the old */
	EFFECT_FORBIDDEN, /* would cost data: refused, unless the row on_change says how */
};

enum field_flags {
	FIELD_REQUIRED = 1 << 0,
	FIELD_SECRET = 1 << 1,	/* its value is a secret however it is written */
	FIELD_KEY = 1 << 2,	/* this member identifies an element in a list of objects */
	FIELD_PATH = 1 << 3,	/* a file beside the manifest: relative to it, stays in DIR */
	FIELD_PROJECT = 1 << 4, /* not interpolated per host: needed before placement */
	/* A member of a compared object that the engine knows nothing of: never compared. Rows of
	 * a kind without `api` and `inspect` are never compared anyway. */
	FIELD_OURS = 1 << 5,
	/* Objects whose member `source` names a Config or a Secret: what that holds is read while
	 * loading, see struct content. */
	FIELD_CONTENT = 1 << 6,
	/* Its references are resolved for each host where the document is used, not here. */
	FIELD_LATE = 1 << 7,
	FIELD_INSIDE = 1 << 8, /* with FIELD_PATH: an absolute one must lie in DIR as well */
	/* A list of objects in which an element may stand twice. */
	FIELD_REPEATS = 1 << 9,
};

/* How a canonical value and the engine's JSON correspond. NULL members mean "as it is". */
struct codec {
	/* canonical -> engine: new reference, or NULL to write nothing. An object is merged with
	 * what other rows have put in the same place, a list is appended; so a row whose `api`
	 * is "" (the whole body) may write to several places at once. */
	json_t *(*encode)(const struct field *field, const json_t *value);
	/* engine -> canonical: new reference; NULL when the engine's value stands for silence.
	 * `at` is what stands at field->inspect (NULL when nothing does), `whole` the document. */
	json_t *(*decode)(const struct field *field, const json_t *at, const json_t *whole);
	/* ORIGIN_IMAGE: what create would make of the written value (NULL: silent) and the
	 * image's Config. New reference, or NULL for nothing. */
	json_t *(*inherit)(const struct field *field, const json_t *written, const json_t *spec,
			   const json_t *image_config);
};

/* Where decoding stands, as a chain on the stack of whoever descends. */
struct decode_step {
	const struct decode_step *up;
	const char *key; /* NULL: an element of a list */
	size_t index;
};

/* What decoding knows and where it reports. */
struct decode {
	struct diagnostics *diagnostics;
	/* Filled: {"field": true} or {"environment": {"PASSWORD": true}}. May be NULL. */
	json_t *secrets;
	struct patterns *patterns;    /* compiled expressions; NULL: each is compiled anew */
	const char *prefix;	      /* put before paths in messages: "spec"; NULL: nothing */
	const struct decode_step *at; /* the engine's own: NULL at the start */
	size_t faults;		      /* counted by decode_fault(), those known already too */
};

/* An error at a node, with the path before it: "spec.ports[1]: TEXT". For types of values. */
void decode_fault(struct decode *decode, const struct node *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The node for a message: 'text', cut and without control characters; '***' for a secret;
 * "a mapping", "a list", "nothing". Lives in the arena of the diagnostics. */
const char *decode_found(struct decode *decode, const struct node *node);
/* One value of one row, as schema_decode() does for each key; NULL after a diagnosis. */
json_t *decode_value(struct decode *decode, const struct field *field, const struct node *node);

/* What a value is made of, which decides how it is compared and written. */
enum shape {
	SHAPE_SCALAR,	  /* compared as a whole by `equal` */
	SHAPE_LIST,	  /* of scalars, in order; compared as a whole */
	SHAPE_SET,	  /* of strings; by element */
	SHAPE_MAP,	  /* of strings; by key */
	SHAPE_OBJECT,	  /* by member */
	SHAPE_OBJECTS,	  /* list of objects: by element, found by its FIELD_KEY members */
	SHAPE_OBJECT_MAP, /* by key, then by member */
};

/* A type of values: everything that can be done with one. */
struct value_type {
	const char *name; /* as the reference pages say it: "size", "list of strings" */
	enum shape shape;
	/* YAML -> canonical, new reference. NULL after a diagnosis. */
	json_t *(*parse)(struct decode *decode, const struct field *field, const struct node *node);
	/* canonical -> one line for people: 512M, 1m30s, ["a", "b"]. */
	void (*print)(const struct field *field, const json_t *value, struct str *out);
	/* NULL: json_equal. Both are canonical, neither NULL. */
	bool (*equal)(const struct field *field, const json_t *a, const json_t *b);
	/* JSON Schema 2020-12 of what may be written, short forms included; new reference. */
	json_t *(*json_schema)(const struct field *field);
};

extern const struct value_type type_string;	/* json string */
extern const struct value_type type_int;	/* json integer within field->min..max */
extern const struct value_type type_bool;	/* YAML 1.2 true/false only */
extern const struct value_type type_size;	/* bytes: 512m, 1.5gb (Compose byte values) */
extern const struct value_type type_duration;	/* ns: 1m30s (Compose durations) */
extern const struct value_type type_cpus;	/* nano-CPUs from a decimal: 0.5 */
extern const struct value_type type_enum;	/* one of field->choices */
extern const struct value_type type_command;	/* list of strings; or split as a shell does */
extern const struct value_type type_strings;	/* list of strings, in order */
extern const struct value_type type_string_set; /* list of strings, order is nothing, unique */
extern const struct value_type type_map;	/* string -> string; also a list of K=V */
extern const struct value_type type_object;	/* field->of */
extern const struct value_type type_objects;	/* list of field->of, short or long form */
extern const struct value_type type_object_map; /* name -> field->of; also a list of names */
extern const struct value_type type_any;	/* any YAML as JSON: template values, variables */

struct field {
	const char *key;
	const struct value_type *type;
	const struct schema *of; /* type_object, type_objects, type_object_map */
	/* NULL-terminated. type_enum: all there are; text with a pattern: the words to tell of. */
	const char *const *choices;
	/* As many as choices, or NULL: the minor API version that brought each word; 0: all have
	 * it. */
	const unsigned *choices_since;
	/* Words that people try and that are not taken; NULL key at the end, or NULL. */
	const struct refused *refused;
	/* type_int, type_size, type_duration; both 0: no bounds. max of type_string: bytes. */
	int64_t min, max;
	const char *pattern; /* POSIX extended expression for strings and map keys */
	/* JSON pointer (RFC 6901) into the create body; NULL: none. In the schema of an object it
	 * is relative to that object's place; where no member has one, the object is written and
	 * read as it is. */
	const char *api;
	const char *inspect;	   /* pointer into inspect's answer; NULL: as `api` */
	const struct codec *codec; /* NULL: as it is both ways */
	const char *fallback;	   /* canonical JSON text of the default: "\"no\"", "[]" */
	enum origin origin;
	enum effect effect;
	unsigned since; /* minor API version that brought it: 44 for 1.44 */
	/* With EFFECT_LIVE: the version from which on it really is; before, a change replaces. */
	unsigned live_since;
	unsigned flags;	 /* enum field_flags */
	const char *ref; /* kind that this string, or each map key, names */
	/* Which kind the value names, where that depends on its object; NULL: none. */
	const char *(*ref_of)(const json_t *object);
	/* The name inside a string value that says more ("service:db" -> "db"), borrowed from it;
	 * NULL when this value names nothing. Absent: the whole value is the name. */
	const char *(*ref_name)(const json_t *value);
	const char *example; /* YAML, shown in the reference and tried by the tests */
	const char *doc;     /* one sentence; required */
};

/* A one-line form of an object ("8080:80/tcp"). */
struct short_form {
	const char *syntax;  /* "[HOST_IP:][HOST:]CONTAINER[/PROTOCOL]" */
	const char *pattern; /* ECMA 262 expression for editors; NULL: any text */
	/* Text -> array of canonical objects (a port range makes several). NULL with *err set. */
	json_t *(*expand)(const char *text, struct error *err);
	/* Canonical object -> short text for plans; false when it has none. */
	bool (*print)(const json_t *object, struct str *out);
};

/* A key that people try (Compose has it) and that has no row, or a word that is no value: why,
 * and what to do instead. */
struct refused {
	const char *key; /* a word that ends in '*': all that begin so */
	const char *why; /* a sentence without full stop: "images are built elsewhere; ..." */
};

/* Rows that belong together, of a schema too long for one table. */
struct rows {
	const struct field *fields;
	size_t count; /* not 0 */
};

struct schema {
	const char *name;
	const char *doc;
	const struct field *fields; /* read them by schema_foreach() */
	size_t count;
	const struct rows *const *groups;    /* instead of fields; ends with NULL */
	const struct short_form *short_form; /* NULL: long form only */
	const struct refused *refused;	     /* ends with a NULL key; may be NULL */
};

/* The row after `at`, the first one for NULL; NULL after the last. */
const struct field *schema_next(const struct schema *schema, const struct field *at);
#define schema_foreach(schema, row)                                                                \
	for (const struct field *row = schema_next((schema), NULL); row;                           \
	     row = schema_next((schema), row))

const struct field *schema_field(const struct schema *schema, const char *key);

/* Decodes a mapping. Unknown keys, wrong types, missing required keys are diagnosed, all of
 * them. The object returned (new reference) holds what could be decoded; NULL if not a mapping. */
json_t *schema_decode(const struct schema *schema, struct decode *decode, const struct node *node);

/* The written value of a top-level key, or NULL; asserts that the schema has such a row. */
const json_t *schema_get(const struct schema *schema, const json_t *spec, const char *key);
/* The same, or else the row's fallback; new reference, NULL when there is neither. */
json_t *schema_get_default(const struct schema *schema, const json_t *spec, const char *key);

/* ERROR_UNSUPPORTED that names field and versions when a row that is written (members of objects
 * too) is newer than engine_api, the minor number of 1.x. */
MUST_CHECK int schema_check_engine(const struct schema *schema, const json_t *spec, int engine_api,
				   struct error *err);
/* The create body: every written row with an `api` pointer is encoded into it. What
 * schema_check_engine() refuses is refused. */
MUST_CHECK int schema_encode(const struct schema *schema, const json_t *spec, int engine_api,
			     json_t *body, struct error *err);

/* Canonical spec of what an inspect answer shows: every row with a pointer. null is absent.
 * What the engine answers in an unexpected shape is kept as it came: printing and comparing take
 * any JSON, other readers must check. New reference. */
json_t *schema_observe(const struct schema *schema, const json_t *inspect);

/* What the engine would show if the spec were created from scratch on this image: written values
 * over the image's over the engine's constants. Rows of ORIGIN_DAEMON that are not written stay
 * absent, which compares with anything. image_config NULL (the image is gone): rows of
 * ORIGIN_IMAGE only when written, and the member SCHEMA_IMAGE_UNKNOWN says so to schema_diff(),
 * which then compares of them what is written and no more. New reference. */
#define SCHEMA_IMAGE_UNKNOWN "(image unknown)"
json_t *schema_expect(const struct schema *schema, const json_t *spec, const json_t *image_config);

/* One difference. before/after are borrowed from expected and observed, a default that stands
 * for silence from the arena; NULL: not there. */
struct change {
	const struct field *field; /* top-level row */
	const struct field *leaf;  /* row of before/after where that is a member of an object;
				    * schema_print_value() takes it */
	const char *path;	   /* "environment.PATH", "ports[8080:80/tcp]", "image" */
	const json_t *before, *after;
	enum effect effect; /* the innermost row's that has one */
};

struct changes {
	struct arena *arena; /* borrowed: paths live in it */
	VEC(struct change) list;
};

/* Differences between what is there and what should be, row by row; maps per key, objects per
 * member, lists of objects and sets per element. Absent, null and empty are the same for
 * collections, never for scalars; a row's fallback stands for absence on either side. Of objects
 * and maps of ORIGIN_DAEMON only the keys that are expected are compared. `ignore` is
 * a JSON array of paths ("environment", "environment[PATH]", "labels.x"), or NULL: what they name
 * and all below it is left out. */
void schema_diff(const struct schema *schema, const json_t *observed, const json_t *expected,
		 const json_t *ignore, struct changes *changes);

/* One line for people: control characters are escaped. NULL prints as "(none)". `field` NULL:
 * whatever it is. */
void schema_print_value(const struct field *field, const json_t *value, struct str *out);
/* YAML of a whole spec in the schema's order. `secrets` as in struct decode: those values are
 * written as "***". parse(print(x)) is x where nothing is masked. */
void schema_print(const struct schema *schema, const json_t *spec, const json_t *secrets,
		  unsigned indent, struct str *out);
/* Copy of a spec with the secrets replaced by "***", to be read only: it shares the rest. New
 * reference. */
json_t *schema_mask(const struct schema *schema, const json_t *spec, const json_t *secrets);

/* Calls fn for each reference a spec makes: kind, name and the path it stands at, from the
 * document ("spec.volumes.0.source", for node_find). */
void schema_references(const struct schema *schema, const json_t *spec,
		       void (*fn)(void *ctx, const char *kind, const char *name, const char *path),
		       void *ctx);

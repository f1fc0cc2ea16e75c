/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/plan/mask.h"

#include <stdint.h>
#include <string.h>

#include "controller/base/mem.h"

/* The rest of a path after the key it starts with; NULL when it starts with another. Keys of maps
 * hold dots themselves ("labels.com.example.tier"), so a path can't be cut without them. */
static const char *path_after(const char *path, const char *key)
{
	size_t len = strlen(key);

	if (*path == '.' || *path == '[')
		path++;
	if (strncmp(path, key, len) != 0)
		return NULL;
	path += len;
	if (*path == ']')
		path++;
	return *path == '\0' || *path == '.' || *path == '[' ? path : NULL;
}

/* Does the value at the path hold a secret, whole or in part? */
static bool holds_secret(const json_t *secrets, const char *path)
{
	const json_t *below;
	const char *key;

	if (json_is_true(secrets))
		return true;
	if (!json_is_object(secrets))
		return json_is_array(secrets) && json_array_size(secrets) > 0;
	if (*path == '\0')
		return json_object_size(secrets) > 0;
	json_object_foreach ((json_t *)secrets, key, below) {
		const char *rest = path_after(path, key);

		if (rest && holds_secret(below, rest))
			return true;
	}
	return false;
}

static bool is_row_secret(const struct change *change)
{
	return (change->field->flags & FIELD_SECRET) ||
	       (change->leaf && (change->leaf->flags & FIELD_SECRET));
}

static bool is_secret(const struct action *action, const struct change *change)
{
	const json_t *of_row;

	if (is_row_secret(change))
		return true;
	if (!action->want)
		return false;
	of_row = json_object_get(action->want->secrets, change->field->key);
	switch (change->field->type->shape) {
	case SHAPE_MAP:
	case SHAPE_OBJECT:
	case SHAPE_OBJECT_MAP:
		return holds_secret(action->want->secrets, change->path);
	default:
		/* Elements of lists have no stable path: one secret masks the row. */
		return of_row && holds_secret(of_row, "");
	}
}

/* Maps whose values people fill with whatever they like. */
static bool is_free_text(const struct change *change)
{
	static const char *const keys[] = { "environment", "labels", "options", "driver_opts",
					    "annotations" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *at = strstr(change->path, keys[i]);

		if (!at || (at != change->path && at[-1] != '.' && at[-1] != ']'))
			continue;
		at += strlen(keys[i]);
		if (*at == '\0' || *at == '.' || *at == '[')
			return true;
	}
	return false;
}

/* Is the value stated, in plain, anywhere in this part of the spec? */
static bool states(const json_t *spec, const json_t *secrets, const json_t *value)
{
	const json_t *below;
	const char *key;
	size_t i;

	if (json_is_true(secrets))
		return false;
	if (json_equal(spec, value))
		return !json_is_object(secrets) || json_object_size(secrets) == 0;
	if (json_is_object(spec)) {
		json_object_foreach ((json_t *)spec, key, below) {
			if (states(below, json_object_get(secrets, key), value))
				return true;
		}
	} else if (json_is_array(spec) && !secrets) {
		json_array_foreach (spec, i, below) {
			if (states(below, NULL, value))
				return true;
		}
	}
	return false;
}

static bool is_masked(const struct action *action, const struct change *change, const json_t *value)
{
	if (!value)
		return false;
	if (is_secret(action, change))
		return true;
	if (!is_free_text(change))
		return false;
	return !action->want ||
	       !states(json_object_get(action->want->spec, change->field->key),
		       json_object_get(action->want->secrets, change->field->key), value);
}

/* Is the key among those of the label? */
static bool is_noted(const json_t *labels, const char *key)
{
	const char *rows = json_string_value(json_object_get(labels, LABEL_SECRETS));
	size_t len;

	for (; rows && *rows; rows += len + (rows[len] == ',')) {
		len = strcspn(rows, ",");
		if (len == strlen(key) && strncmp(rows, key, len) == 0)
			return true;
	}
	return false;
}

/* What the host has may be a secret that the manifest does not mention any more, or never did. */
static bool held_secret(const struct action *action, const struct change *change)
{
	static const char *const command_line[] = { "command", "entrypoint", "healthcheck" };
	const struct object *have = action->have;
	bool found = have && is_noted(have->labels, change->field->key);

	for (size_t i = 0; have && !have->ours && i < ARRAY_SIZE(command_line); i++)
		found |= strcmp(command_line[i], change->field->key) == 0;
	return found;
}

bool mask_before(const struct action *action, const struct change *change)
{
	return change->before &&
	       (held_secret(action, change) || is_masked(action, change, change->before));
}

bool mask_after(const struct action *action, const struct change *change)
{
	return is_masked(action, change, change->after);
}

/* A row that is all secret, as that of files is, goes by the places it names. */
static bool is_hidden_element(const struct action *action, const struct change *change)
{
	return !is_row_secret(change) && strchr(change->path, '[') &&
	       (mask_before(action, change) || mask_after(action, change));
}

char *mask_path(const struct action *action, const struct change *change)
{
	size_t len = strcspn(change->path, "["), number = 0;

	if (!is_hidden_element(action, change))
		return xstrdup(change->path);
	VEC_FOREACH (const struct change *, other, &action->changes.list) {
		if (other > change)
			break;
		number += strncmp(other->path, change->path, len + 1) == 0 &&
			  is_hidden_element(action, other);
	}
	return xasprintf("%.*s[%zu]", (int)len, change->path, number);
}

/* Length of the well-formed UTF-8 sequence at s (RFC 3629), its code point in *ret_point; 0 when
 * there is none. */
static size_t decode_utf8(const unsigned char *s, uint32_t *ret_point)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = s[0] < 0x80   ? 1
		     : s[0] < 0xc0 ? 0
		     : s[0] < 0xe0 ? 2
		     : s[0] < 0xf0 ? 3
		     : s[0] < 0xf8 ? 4
				   : 0;
	uint32_t point = len == 1 ? s[0] : len ? s[0] & (0x7f >> len) : 0;

	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (s[i] & 0x3f);
	}
	if (len > 1 &&
	    (point < least[len] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)))
		return 0;
	*ret_point = point;
	return len;
}

/* Unicode's bidirectional controls reorder what a reader sees; the separators break lines. */
static bool is_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x61c ||
	       (point >= 0x200e && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
	       (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

void text_escape(const char *text, struct str *out)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s) {
		uint32_t point = 0;
		size_t len = decode_utf8(s, &point);

		if (len == 0) {
			str_printf(out, "\\x%02x", *s++);
			continue;
		}
		if (strncmp((const char *)s, "##[", 3) == 0) {
			str_append(out, "#\\x23");
			s += 2;
			continue;
		}
		if (!is_control(point))
			str_append_n(out, s, len);
		else if (point < 0x80)
			str_printf(out, "\\x%02x", point);
		else
			str_printf(out, "\\u{%x}", point);
		s += len;
	}
}

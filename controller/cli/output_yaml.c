/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON documents as YAML 1.2 in block style. Strings are always in double quotes: what they would
 * mean without is a matter of who reads them. */
#include "controller/cli/output.h"

#include <string.h>
#include <wchar.h>

enum { INDENT = 2 };

static void append_value(struct str *out, const json_t *value, int indent);

/* What JSON leaves as it is and YAML takes for no printable sign (YAML 1.2, c-printable), or for
 * the end of a line. */
static bool is_unprintable(const unsigned char *p)
{
	return *p == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0) ||
	       (p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9)) ||
	       (p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf) ||
	       (p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe);
}

static void append_scalar(struct str *out, const json_t *value)
{
	CLEANUP(cleanup_free)
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));

	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (!is_unprintable(p)) {
			str_append_char(out, (char)*p);
		} else if (p[0] == 0x7f) {
			str_append(out, "\\x7f");
		} else if (p[0] == 0xc2) {
			str_printf(out, "\\x%02x", p[1]);
			p++;
		} else {
			str_printf(out, "\\u%04x",
				   (unsigned)((p[0] & 0x0f) << 12 | (p[1] & 0x3f) << 6 |
					      (p[2] & 0x3f)));
			p += 2;
		}
	}
}

static bool is_plain_key(const char *key)
{
	static const char *const words[] = { "y",   "n",    "yes",   "no",  "on",
					     "off", "true", "false", "null" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcasecmp(key, words[i]) == 0)
			return false;
	}
	return *key >= 'a' && *key <= 'z' &&
	       key[strspn(key, "abcdefghijklmnopqrstuvwxyz_0123456789")] == '\0';
}

static bool is_block(const json_t *value)
{
	return (json_is_object(value) && json_object_size(value) > 0) ||
	       (json_is_array(value) && json_array_size(value) > 0);
}

static void append_object(struct str *out, const json_t *object, int indent)
{
	const json_t *value;
	const char *key;
	bool first = true;

	json_object_foreach ((json_t *)object, key, value) {
		if (!first)
			str_printf(out, "%*s", indent, "");
		first = false;
		if (is_plain_key(key)) {
			str_append(out, key);
		} else {
			json_t *quoted = json_string(key);

			append_scalar(out, quoted);
			json_decref(quoted);
		}
		str_append_char(out, ':');
		if (is_block(value))
			str_printf(out, "\n%*s", indent + INDENT, "");
		else
			str_append_char(out, ' ');
		append_value(out, value, indent + INDENT);
	}
}

static void append_array(struct str *out, const json_t *array, int indent)
{
	const json_t *value;
	size_t i;

	json_array_foreach (array, i, value) {
		str_printf(out, "%*s- ", i ? indent : 0, "");
		append_value(out, value, indent + INDENT);
	}
}

/* The first line begins where the text stands, the others after `indent` blanks. */
static void append_value(struct str *out, const json_t *value, int indent)
{
	if (!is_block(value)) {
		append_scalar(out, value);
		str_append_char(out, '\n');
	} else if (json_is_object(value)) {
		append_object(out, value, indent);
	} else {
		append_array(out, value, indent);
	}
}

void output_yaml(const json_t *document, struct str *out)
{
	append_value(out, document, 0);
}

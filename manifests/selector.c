/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "manifests/selector.h"

#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "manifests/set.h"

enum operator{ OPERATOR_IS, OPERATOR_IS_NOT, OPERATOR_HAS, OPERATOR_HAS_NOT };

struct term {
	enum operator operator;
	const char *key, *value;
};

static char *trim(char *text)
{
	size_t len;

	text += strspn(text, " \t");
	len = strlen(text);
	while (len && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		text[--len] = '\0';
	return text;
}

static bool is_key(const char *key)
{
	return *key && !strpbrk(key, " \t!=()<>,");
}

/* Cuts one term in place; false when it is none. */
static bool parse_term(char *text, struct term *term)
{
	char *equals = strchr(text, '=');

	*term = (struct term){ .operator= OPERATOR_HAS };
	if (equals) {
		term->operator= OPERATOR_IS;
		term->value = trim(equals + 1 + (equals[1] == '='));
		if (equals > text && equals[-1] == '!') {
			term->operator= OPERATOR_IS_NOT;
			equals[-1] = '\0';
		}
		*equals = '\0';
	} else if (*text == '!') {
		term->operator= OPERATOR_HAS_NOT;
		text++;
	}
	term->key = trim(text);
	return is_key(term->key) && (!term->value || !strpbrk(term->value, " \t=!"));
}

static bool holds(const struct term *term, const json_t *labels)
{
	const char *label = json_string_value(json_object_get(labels, term->key));

	switch (term->operator) {
	case OPERATOR_IS:
		return str_eq(label, term->value);
	case OPERATOR_IS_NOT:
		return !str_eq(label, term->value);
	case OPERATOR_HAS:
		return label != NULL;
	case OPERATOR_HAS_NOT:
		return label == NULL;
	}
	return false;
}

int selector_match(const json_t *labels, const char *selector, bool *ret_match, struct error *err)
{
	CLEANUP(cleanup_free) char *copy = xstrdup(selector);
	bool match = true;

	for (char *text = copy, *next; text; text = next) {
		struct term term;
		next = strchr(text, ',');
		if (next)
			*next++ = '\0';
		if (!parse_term(trim(text), &term))
			return error_set(err, ERROR_INVALID,
					 "selector '%s': expected key=value, key!=value, key or "
					 "!key, with commas between them",
					 selector);
		match = match && holds(&term, labels);
	}
	*ret_match = match;
	return 0;
}

int set_match_selector(const struct resource *resource, const char *selector, bool *ret_match,
		       struct error *err)
{
	return selector_match(json_object_get(resource->metadata, "labels"), selector, ret_match,
			      err);
}

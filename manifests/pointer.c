/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "manifests/pointer.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { TOKEN_MAX = 256 }; /* bytes of a token with escapes; the longest in use have twenty */

struct token {
	const char *text;
	size_t len;
	char unescaped[TOKEN_MAX];
};

/* Takes the next token off *pointer; false at its end or where it is malformed. */
static bool next_token(const char **pointer, struct token *token)
{
	if (**pointer != '/')
		return false;
	const char *start = *pointer + 1;
	size_t len = strcspn(start, "/");

	*pointer = start + len;
	token->text = start;
	token->len = len;
	if (!memchr(start, '~', len))
		return true;
	if (len > TOKEN_MAX)
		return false;
	token->text = token->unescaped;
	token->len = 0;
	for (size_t i = 0; i < len; i++) {
		char c = start[i];

		if (c == '~' && i + 1 < len)
			c = start[++i] == '1' ? '/' : '~';
		token->unescaped[token->len++] = c;
	}
	return true;
}

/* An index as RFC 6901 section 4 has it: digits without leading zeros. */
static const json_t *element(const json_t *array, const struct token *token)
{
	size_t index = 0;

	if (!token->len || token->len > 9 || (token->text[0] == '0' && token->len > 1))
		return NULL;
	for (size_t i = 0; i < token->len; i++) {
		if (token->text[i] < '0' || token->text[i] > '9')
			return NULL;
		index = index * 10 + (size_t)(token->text[i] - '0');
	}
	return json_array_get(array, index);
}

const json_t *pointer_get(const json_t *document, const char *pointer)
{
	const json_t *at = document;
	struct token token;

	while (at && *pointer) {
		if (!next_token(&pointer, &token))
			return NULL;
		if (json_is_array(at))
			at = element(at, &token);
		else
			at = json_object_getn(at, token.text, token.len);
	}
	return at;
}

static void merge(json_t *into, json_t *from)
{
	const char *key;
	json_t *value;

	if (json_is_array(into)) {
		json_array_extend(into, from);
		return;
	}
	json_object_foreach (from, key, value) {
		json_t *there = json_object_get(into, key);

		if ((json_is_object(there) && json_is_object(value)) ||
		    (json_is_array(there) && json_is_array(value)))
			merge(there, value);
		else
			json_object_set(into, key, value);
	}
}

void pointer_merge(json_t *document, const char *pointer, json_t *value)
{
	json_t *parent = document, *at = document;
	struct token token = { 0 };

	assert(json_is_object(document));
	while (*pointer) {
		bool valid = next_token(&pointer, &token);

		assert(valid);
		(void)valid;
		parent = at;
		at = json_object_getn(parent, token.text, token.len);
		if (*pointer && !json_is_object(at)) {
			at = json_object();
			json_object_setn_new(parent, token.text, token.len, at);
		}
	}
	if ((json_is_object(at) && json_is_object(value)) ||
	    (json_is_array(at) && json_is_array(value))) {
		merge(at, value);
		json_decref(value);
	} else {
		assert(at != document);
		json_object_setn_new(parent, token.text, token.len, value);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "manifests/node.h"

#include <stdlib.h>
#include <string.h>

#include "manifests/set.h"

static const struct node *find_pair(const struct node *node, const char *key, bool want_key)
{
	if (!node || node->type != NODE_MAPPING)
		return NULL;
	for (size_t i = 0; i < node->count; i++)
		if (strcmp(node->keys[i]->text, key) == 0)
			return want_key ? node->keys[i] : node->values[i];
	return NULL;
}

const struct node *node_get(const struct node *node, const char *key)
{
	return find_pair(node, key, false);
}

const struct node *node_key(const struct node *node, const char *key)
{
	return find_pair(node, key, true);
}

bool node_is_null(const struct node *node)
{
	static const char *const spellings[] = { "", "~", "null", "Null", "NULL" };

	if (node->type != NODE_SCALAR || node->quoted)
		return false;
	for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++)
		if (strcmp(node->text, spellings[i]) == 0)
			return true;
	return false;
}

bool node_has_secret(const struct node *node)
{
	if (node->secret)
		return true;
	for (size_t i = 0; i < node->count; i++)
		if (node_has_secret(node->values[i]))
			return true;
	return false;
}

bool node_seal(struct node *node)
{
	size_t size = 1;
	unsigned height = 0;

	for (size_t i = 0; i < node->count; i++) {
		size += node->values[i]->size + (node->type == NODE_MAPPING);
		if (size > MANIFEST_NODES_MAX)
			return false;
		if (node->values[i]->height > height)
			height = node->values[i]->height;
	}
	node->size = (unsigned)size;
	node->height = height + 1;
	return node->height <= MANIFEST_DEPTH_MAX;
}

const struct place *node_origin(const struct node *node)
{
	return node->via ? node->via : &node->place;
}

/* Keys may hold dots themselves ("com.example.x"): the longest that fits is meant. */
static const struct node *step(const struct node *node, const char **path)
{
	const struct node *found = NULL;
	size_t longest = 0;

	for (size_t i = 0; i < node->count; i++) {
		const char *key = node->keys[i]->text;
		size_t n = strlen(key);
		if (strncmp(*path, key, n) != 0 || ((*path)[n] != '\0' && (*path)[n] != '.'))
			continue;
		if (!found || n > longest) {
			found = node->values[i];
			longest = n;
		}
	}
	if (found)
		*path += longest + ((*path)[longest] == '.');
	return found;
}

const struct node *node_find(const struct node *node, const char *path)
{
	while (*path) {
		const struct node *next = NULL;

		if (node->type == NODE_MAPPING) {
			next = step(node, &path);
		} else if (node->type == NODE_SEQUENCE) {
			char *end;
			unsigned long i = strtoul(path, &end, 10);
			if (end != path && (*end == '\0' || *end == '.') && i < node->count) {
				next = node->values[i];
				path = end + (*end == '.');
			}
		}
		if (!next)
			break;
		node = next;
	}
	return node;
}

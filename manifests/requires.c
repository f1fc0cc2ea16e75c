/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Project.spec.requires: which drey understands the set. Judged before anything else, since what
 * an older one would report about a newer set is noise. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "manifests/load.h"

enum { PARTS = 4 };

/* Numbers with dots between them, up to anything else ("-rc1"); false when there is none. */
static bool parse_version(const char **text, unsigned long parts[PARTS])
{
	const char *p = *text;

	memset(parts, 0, PARTS * sizeof(*parts));
	if (!isdigit((unsigned char)*p))
		return false;
	for (size_t i = 0; i < PARTS && isdigit((unsigned char)*p); i++) {
		char *end;
		parts[i] = strtoul(p, &end, 10);
		p = *end == '.' && isdigit((unsigned char)end[1]) ? end + 1 : end;
	}
	while (*p && !strchr(" \t,", *p))
		p++;
	*text = p;
	return true;
}

static int compare(const unsigned long a[PARTS], const unsigned long b[PARTS])
{
	for (size_t i = 0; i < PARTS; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

static bool satisfies(int order, const char *operator, size_t len)
{
	if (len == 0 || strncmp(operator, ">=", 2) == 0)
		return order >= 0;
	if (strncmp(operator, "<=", 2) == 0)
		return order <= 0;
	if (*operator== '>')
		return order > 0;
	if (*operator== '<')
		return order < 0;
	return order == 0;
}

int requires_met(const char *constraint, const char *version)
{
	unsigned long mine[PARTS], wanted[PARTS];
	bool met = true;

	if (!parse_version(&version, mine))
		return -1;
	constraint += strspn(constraint, " \t");
	do {
		const char *operator= constraint;
		size_t len = strspn(constraint, "<>=");
		if (len > 2 || (len == 2 && operator[1] != '='))
			return -1;
		constraint += len;
		constraint += strspn(constraint, " \t");
		if (!parse_version(&constraint, wanted))
			return -1;
		met = met && satisfies(compare(mine, wanted), operator, len);
		constraint += strspn(constraint, " \t,");
	} while (*constraint);
	return met;
}

bool requires_check(struct load *load)
{
	for (size_t i = 0; i < load->roots.count; i++) {
		const struct node *root = load->roots.items[i];
		const struct node *kind = node_get(root, "kind");
		const struct node *node = node_get(node_get(root, "spec"), "requires");

		if (!kind || kind->type != NODE_SCALAR || strcmp(kind->text, "Project") != 0 ||
		    !node || node->type != NODE_SCALAR || !load->options->version)
			continue;
		int met = requires_met(node->text, load->options->version);
		if (met > 0)
			continue;
		if (met < 0) {
			load_fault(
				load, node,
				"spec.requires: '%s' is no version constraint; expected one such "
				"as '>= 0.2' or '>= 0.2, < 1'",
				node->text);
			continue;
		}
		diagnostics_clear(load->diagnostics);
		load_fault(load, node,
			   "spec.requires: these manifests want drey %s, and this is drey %s; take "
			   "a drey that fits",
			   node->text, load->options->version);
		return false;
	}
	return true;
}

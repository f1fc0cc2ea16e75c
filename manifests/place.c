/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which hosts a resource is for: its own `hosts` or `host_selector`, else those of the Release it
 * comes from, else the Project's default hosts, else the only host there is. A kind that
 * follows its users and names no hosts is placed by link.c.
 */
#include <stdlib.h>
#include <string.h>

#include "manifests/sources.h"

static int compare_name(const void *name, const void *document)
{
	return strcmp(name, (*(const struct document *const *)document)->name);
}

static int find_host(const struct load *load, const char *name)
{
	struct document **found = load->host_count ? bsearch(name, load->hosts, load->host_count,
							     sizeof(*load->hosts), compare_name)
						   : NULL;

	return found ? (int)(found - load->hosts) : -1;
}

static void add_host(struct load *load, const struct node *at, bool *on)
{
	int host = at->type == NODE_SCALAR ? find_host(load, at->text) : -1;

	if (host >= 0)
		on[host] = true;
	else if (at->type == NODE_SCALAR && !load_may_lack(load, "Host"))
		load_fault(load, at, "spec.hosts: there is no Host '%s'%s", at->text,
			   load_nearest(load, "Host", at->text));
}

/* What is no list of names is diagnosed when the document is decoded. */
static void take_names(struct load *load, const struct node *hosts, bool *on)
{
	if (hosts->type == NODE_SCALAR)
		add_host(load, hosts, on);
	for (size_t i = 0; hosts->type == NODE_SEQUENCE && i < hosts->count; i++)
		add_host(load, hosts->values[i], on);
	if (hosts->type == NODE_SEQUENCE && hosts->count == 0)
		load_fault(load, hosts,
			   "spec.hosts: the list is empty; name at least one Host (what is to be "
			   "removed everywhere says 'state: absent')");
}

static bool is_selected(const json_t *labels, const struct node *selector)
{
	for (size_t i = 0; i < selector->count; i++) {
		const struct node *value = selector->values[i];
		CLEANUP(cleanup_free) char *key = NULL;
		const char *wanted = value->text;

		if (value->type != NODE_SCALAR)
			return false;
		if (selector->type == NODE_MAPPING) {
			key = xstrdup(selector->keys[i]->text);
		} else {
			size_t n = strcspn(value->text, "=");
			key = xstrndup(value->text, n);
			wanted = value->text + n + (value->text[n] == '=');
		}
		if (!str_eq(json_string_value(json_object_get(labels, key)), wanted))
			return false;
	}
	return true;
}

static void take_selector(struct load *load, const struct node *selector, bool *on)
{
	bool any = false;

	if (selector->type == NODE_SCALAR)
		return; /* diagnosed when decoded */
	if (selector->count == 0) {
		load_fault(
			load, selector,
			"spec.host_selector: it is empty; name the labels that a host must have");
		return;
	}
	for (size_t h = 0; h < load->host_count; h++) {
		const json_t *metadata = load->hosts[h]->shared->metadata;
		if (!is_selected(json_object_get(metadata, "labels"), selector))
			continue;
		on[h] = any = true;
	}
	if (!any && !load_may_lack(load, "Host"))
		load_fault(load, selector,
			   "spec.host_selector: none of the %zu hosts has these labels in its "
			   "metadata.labels",
			   load->host_count);
}

/* Takes what a spec says of hosts; false when it says nothing. */
static bool take_spec(struct load *load, const struct document *document, bool *on)
{
	struct resolver resolver = { .load = load, .sources = SOURCE_ALL };
	const struct node *spec = node_get(document->node, "spec");
	const struct node *hosts = node_get(spec, "hosts");
	const struct node *selector = node_get(spec, "host_selector");

	if (hosts && selector) {
		load_fault(load, node_key(spec, "host_selector"),
			   "spec has hosts and host_selector; expected one of the two");
		return true;
	}
	if (hosts)
		take_names(load, resolve(&resolver, hosts), on);
	if (selector)
		take_selector(load, resolve(&resolver, selector), on);
	return hosts || selector;
}

/* Something that says state: absent has no users it could follow to where it is removed. */
static bool is_absent(const struct document *document)
{
	const struct node *state = node_get(node_get(document->node, "spec"), "state");

	return state && state->type == NODE_SCALAR && strcmp(state->text, "absent") == 0;
}

static void no_place(struct load *load, const struct document *document)
{
	const struct node *at = node_get(node_get(document->node, "metadata"), "name");

	if (!at)
		at = document->node;
	if (load_may_lack(load, "Host") || load_may_lack(load, "Project"))
		return;
	if (load->host_count == 0)
		load_fault(load, at,
			   "%s '%s' has no place to be: there is no Host; add one (the local "
			   "engine's address is unix:///var/run/docker.sock)",
			   document->kind->name, document->name);
	else
		load_fault(load, at,
			   "%s '%s' does not say which of the %zu hosts it is for; add hosts or "
			   "host_selector to its spec, or hosts to the Project's",
			   document->kind->name, document->name, load->host_count);
}

static void place(struct load *load, struct document *document)
{
	bool *on = document->on;

	if (take_spec(load, document, on))
		return;
	if (document->kind->follows_users && !is_absent(document)) {
		document->follows = true;
		return;
	}
	for (const struct document *r = document->release; r; r = r->release)
		if (take_spec(load, r, on))
			return;
	if (load->project && node_get(node_get(load->project->node, "spec"), "hosts"))
		take_names(load, node_get(node_get(load->project->node, "spec"), "hosts"), on);
	else if (load->host_count == 1)
		on[0] = true;
	else
		no_place(load, document);
}

void place_documents(struct load *load)
{
	/* The Project's and Releases' hosts are checked even if nothing uses them. */
	bool *nowhere = arena_alloc(load->arena, load->host_count * sizeof(*nowhere) + 1);

	for (size_t i = 0; i < load->documents.count; i++) {
		struct document *document = load->documents.items[i];
		if (document->kind->scope == SCOPE_HOST) {
			document->on = arena_alloc(load->arena,
						   load->host_count * sizeof(*document->on) + 1);
			place(load, document);
		} else if (strcmp(document->kind->name, "Release") == 0 ||
			   strcmp(document->kind->name, "Project") == 0) {
			take_spec(load, document, nowhere);
		}
	}
}

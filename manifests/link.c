/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * References between resources: each must name something that is declared, and on a host something
 * that is there. Networks and Volumes that name no hosts come to be where something uses them.
 */
#include <stdlib.h>
#include <string.h>

#include "manifests/load.h"

/* Documents of one host whose references are still to be followed. */
struct queue {
	VEC(size_t) list;
};

static const char *hosts_of(struct load *load, const struct document *document)
{
	enum { SHOWN_MAX = 5 };
	const char *list = "";
	size_t shown = 0;

	for (size_t h = 0; h < load->host_count && shown <= SHOWN_MAX; h++) {
		if (!document->on[h])
			continue;
		list = arena_printf(load->arena, "%s%s%s", list, shown ? ", " : "",
				    shown < SHOWN_MAX ? load->hosts[h]->name : "...");
		shown++;
	}
	return *list ? list : "nowhere";
}

static void undeclared(struct load *load, const struct body *body,
		       const struct reference_to *reference)
{
	const struct node *at = node_find(body->node, reference->path);
	const char *kind = reference->kind->name;
	const char *nearest = load_nearest(load, kind, reference->name);

	if (load_may_lack(load, kind))
		return;
	load_fault(load, at, "%s: there is no %s '%s'%s", reference->shown, kind, reference->name,
		   *nearest ? nearest
		   : reference->kind->follows_users
			   ? "; what is used must be declared, if only with 'external: true'"
			   : "");
}

/* One reference of what is on a host. */
static void follow(struct load *load, const struct body *body, const struct reference_to *reference,
		   size_t host, struct queue *queue)
{
	struct document *target = load_find(load, reference->kind->name, reference->name);

	if (!target) {
		if (!body->absent)
			undeclared(load, body, reference);
		return;
	}
	if (target->kind->scope != SCOPE_HOST || target->on[host])
		return;
	if (target->follows) {
		target->on[host] = true;
		vec_push(&queue->list, target->index);
	} else if (!body->absent) {
		load_fault(load, node_find(body->node, reference->path),
			   "%s: %s '%s' is used on host '%s', but declared for others only: %s",
			   reference->shown, target->kind->name, target->name,
			   load->hosts[host]->name, hosts_of(load, target));
	}
}

static void link_host(struct load *load, size_t host, struct body **bodies)
{
	struct queue queue = { 0 };

	for (size_t i = 0; i < load->documents.count; i++)
		if (load->documents.items[i]->on && load->documents.items[i]->on[host])
			vec_push(&queue.list, i);
	for (size_t q = 0; q < queue.list.count; q++) {
		size_t i = queue.list.items[q];
		struct body *body = decode_document(load, load->documents.items[i], (int)host);
		bodies[i] = body;
		for (size_t r = 0; r < body->references.count; r++)
			follow(load, body, &body->references.items[r], host, &queue);
	}
	vec_done(&queue.list);
}

/* A resource that stays must not lean on one that goes. */
static void check_absent(struct load *load, struct body *const *bodies)
{
	for (size_t i = 0; i < load->documents.count; i++) {
		const struct body *body = bodies[i];
		if (!body || body->absent)
			continue;
		for (size_t r = 0; r < body->references.count; r++) {
			const struct reference_to *reference = &body->references.items[r];
			const struct document *target =
				load_find(load, reference->kind->name, reference->name);
			if (!target || target->kind->scope != SCOPE_HOST)
				continue;
			const struct body *other = bodies[target->index];
			if (other && other->absent)
				load_fault(load, node_find(body->node, reference->path),
					   "%s: %s '%s' is used here, but says 'state: absent'",
					   reference->shown, target->kind->name, target->name);
		}
	}
}

static void link_project(struct load *load, const struct document *document)
{
	const struct body *body = document->shared;

	for (size_t r = 0; body && r < body->references.count; r++)
		if (!load_find(load, body->references.items[r].kind->name,
			       body->references.items[r].name))
			undeclared(load, body, &body->references.items[r]);
}

/* What is nowhere still is to be free of faults. */
static void check_unused(struct load *load, struct document *document)
{
	bool anywhere = false, lacks_anything = load->lacks_anything;

	for (size_t h = 0; h < load->host_count && !anywhere; h++)
		anywhere = document->on[h];
	if (anywhere)
		return;
	if (document->follows)
		load_warn(load, document->node,
			  "%s '%s' is nowhere: it names no hosts, and nothing uses it",
			  document->kind->name, document->name);
	/* Not for a host, so what is not defined for one is no fault of it. */
	load->lacks_anything = true;
	decode_document(load, document, load->host_count ? 0 : -1);
	load->lacks_anything = lacks_anything;
}

void link_documents(struct load *load, struct body ***bodies)
{
	for (size_t h = 0; h < load->host_count; h++)
		link_host(load, h, bodies[h]);
	for (size_t h = 0; h < load->host_count; h++)
		check_absent(load, bodies[h]);
	for (size_t i = 0; i < load->documents.count; i++) {
		if (load->documents.items[i]->kind->scope == SCOPE_HOST)
			check_unused(load, load->documents.items[i]);
		else
			link_project(load, load->documents.items[i]);
	}
}

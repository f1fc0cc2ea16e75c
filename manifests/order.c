/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of what is on a host: by phase of the kinds; within a phase what is referred to before
 * what refers to it; else by kind and name. */
#include <stdlib.h>
#include <string.h>

#include "manifests/load.h"

enum mark { MARK_NEW, MARK_OPEN, MARK_DONE };

/* Depth-first, with a stack of its own: chains may be as long as there are documents. */
struct frame {
	size_t document;  /* its index */
	size_t reference; /* the next to look at */
};

struct ordering {
	struct load *load;
	struct body **bodies;
	enum mark *marks; /* by index of the document */
	VEC(struct frame) stack;
	size_t *order, placed;
};

static int compare(const void *a, const void *b, void *ctx)
{
	const struct load *load = ctx;
	size_t i = *(const size_t *)a, j = *(const size_t *)b;
	int x = load->documents.items[i]->kind->phase, y = load->documents.items[j]->kind->phase;

	if (x != y)
		return x < y ? -1 : 1;
	return i < j ? -1 : i > j; /* the documents are sorted by kind and name */
}

/* "a -> b -> a", at the reference that closes the circle. */
static void report_circle(struct ordering *o, size_t first, const struct reference_to *closing)
{
	struct load *load = o->load;
	const struct frame *top = &o->stack.items[o->stack.count - 1];
	const struct body *body = o->bodies[top->document];
	struct str chain;

	str_init(&chain, 0);
	for (size_t i = first; i < o->stack.count; i++)
		str_printf(&chain, "%s -> ",
			   load->documents.items[o->stack.items[i].document]->name);
	load_fault(load, node_find(body->node, closing->path),
		   "%s: %ss depend on one another in a circle: %s%s", closing->shown,
		   closing->kind->name, chain.data, closing->name);
	str_done(&chain);
}

/* Index of the document that a reference names, if it is on this host and in this phase. */
static bool target_of(const struct ordering *o, const struct kind *kind,
		      const struct reference_to *reference, size_t *ret)
{
	if (reference->kind->scope != SCOPE_HOST || reference->kind->phase != kind->phase)
		return false;
	const struct document *target = load_find(o->load, reference->kind->name, reference->name);
	if (!target || !o->bodies[target->index])
		return false;
	*ret = target->index;
	return true;
}

static void open_document(struct ordering *o, size_t document)
{
	struct frame frame = { .document = document };

	o->marks[document] = MARK_OPEN;
	vec_push(&o->stack, frame);
}

static void found_open(struct ordering *o, size_t document, const struct reference_to *reference)
{
	size_t first = o->stack.count;

	while (o->stack.items[first - 1].document != document)
		first--;
	report_circle(o, first - 1, reference);
}

static void visit(struct ordering *o, size_t document)
{
	open_document(o, document);
	while (o->stack.count) {
		struct frame *frame = &o->stack.items[o->stack.count - 1];
		size_t current = frame->document, target;
		const struct body *body = o->bodies[current];
		if (frame->reference == body->references.count) {
			o->marks[current] = MARK_DONE;
			o->order[o->placed++] = current;
			o->stack.count--;
			continue;
		}
		const struct reference_to *reference = &body->references.items[frame->reference++];
		const struct kind *kind = o->load->documents.items[current]->kind;
		if (!target_of(o, kind, reference, &target) || o->marks[target] == MARK_DONE)
			continue;
		if (o->marks[target] == MARK_OPEN)
			found_open(o, target, reference);
		else
			open_document(o, target);
	}
}

void order_documents(struct load *load, struct body **bodies, size_t *order, size_t count)
{
	CLEANUP(cleanup_free) size_t *sorted = xcalloc(count + 1, sizeof(*sorted));
	struct ordering o = {
		.load = load,
		.bodies = bodies,
		.marks = xcalloc(load->documents.count + 1, sizeof(*o.marks)),
		.order = order,
	};

	memcpy(sorted, order, count * sizeof(*order));
	qsort_r(sorted, count, sizeof(*sorted), compare, load);
	for (size_t i = 0; i < count; i++)
		if (o.marks[sorted[i]] == MARK_NEW)
			visit(&o, sorted[i]);
	free(o.marks);
	vec_done(&o.stack);
}

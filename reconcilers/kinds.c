/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All kinds. The list is written by the Makefile: a file that defines one is in it. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/reconciler.h"

#define KIND(symbol) extern const struct reconciler symbol;
#include "kinds.inc"
#undef KIND

#define KIND(symbol) &symbol,
static const struct reconciler *const by_file[] = {
#include "kinds.inc"
};
#undef KIND

/* The same in the order of their phases, which kinds.inc can't know. Constant once made. */
static const struct reconciler *by_phase[ARRAY_SIZE(by_file)];
static const struct kind *kinds_by_phase[ARRAY_SIZE(by_file)];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int compare_phase(const void *a, const void *b)
{
	const struct kind *x = &(*(const struct reconciler *const *)a)->kind;
	const struct kind *y = &(*(const struct reconciler *const *)b)->kind;
	int order = (x->phase > y->phase) - (x->phase < y->phase);

	return order ? order : strcmp(x->name, y->name);
}

static void sort_kinds(void)
{
	memcpy(by_phase, by_file, sizeof(by_phase));
	qsort(by_phase, ARRAY_SIZE(by_phase), sizeof(*by_phase), compare_phase);
	for (size_t i = 0; i < ARRAY_SIZE(by_phase); i++)
		kinds_by_phase[i] = &by_phase[i]->kind;
}

const struct reconciler *const *reconcilers_all(size_t *ret_count)
{
	pthread_once(&once, sort_kinds);
	*ret_count = ARRAY_SIZE(by_phase);
	return by_phase;
}

const struct kind *const *kinds_all(size_t *ret_count)
{
	pthread_once(&once, sort_kinds);
	*ret_count = ARRAY_SIZE(kinds_by_phase);
	return kinds_by_phase;
}

const struct reconciler *reconciler_find(const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(by_file); i++) {
		if (str_eq(by_file[i]->kind.name, kind))
			return by_file[i];
	}
	return NULL;
}

const char *verdict_name(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_KEEP:
		return "keep";
	case VERDICT_CREATE:
		return "create";
	case VERDICT_UPDATE:
		return "update";
	case VERDICT_REPLACE:
		return "replace";
	case VERDICT_REMOVE:
		return "remove";
	case VERDICT_REFUSE:
		return "refuse";
	case VERDICT_LEFTOVER:
		return "leftover";
	}
	return "unknown";
}

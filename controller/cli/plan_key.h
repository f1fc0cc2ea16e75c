/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The key of saved plans: --plan-key-file, else $DREY_PLAN_KEY, else plan.key in the state
 * directory, which is enough where plans are made and carried out on one machine.
 */
#pragma once

#include "controller/cli/command.h"
#include "controller/plan/saved.h"

struct plan_key {
	struct saved_key key; /* data is the struct's own */
	char *text;
	bool given; /* by option or environment: then every plan is sealed with it */
};

/* *ret_key has no data where none was given and the state directory has none either; with `make`
 * one is made there. ERROR_INVALID for a key that is too short. */
MUST_CHECK int plan_key_load(const struct context *context, const char *state_dir, bool make,
			     struct plan_key *ret_key, struct error *err);
/* Wipes it. */
void plan_key_done(struct plan_key *key);

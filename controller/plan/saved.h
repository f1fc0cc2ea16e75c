/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plans that are kept and carried out later, exactly or not at all.
 *
 * A saved plan is what `drey diff` found, for people and programs to read, and for `drey apply` to
 * hold against what it finds itself: it is never executed, it only says whether the plan that was
 * made anew is the same. So a plan that was forged can bring about a refusal and nothing else.
 *
 * It holds no secret. Values are masked as in every output; whether a masked value is still the
 * one that was planned is told by an HMAC-SHA256 whose key is not in the plan. An unkeyed digest,
 * however slow, would let whoever reads the plan try out weak secrets.
 *
 * Pure: no file, no clock, no randomness.
 */
#pragma once

#include "controller/plan/plan.h"

enum {
	SAVED_FORMAT = 1,
	SAVED_KEY_MIN = 32, /* bytes: a key that can be guessed makes secrets guessable */
	SAVED_SALT_HEX = 33,
};

/* What secrets are digested with. Without a key (NULL) they can't be, see saved_needs_key(). */
struct saved_key {
	const char *data;
	size_t len;
	char salt[SAVED_SALT_HEX]; /* of this plan: two plans tell nothing of each other */
};

/* The member of "hosts" for a host that was planned, and for one that could not be. */
json_t *saved_host(const struct pass *pass, const struct plan *plan, const struct saved_key *key);
json_t *saved_host_failed(const char *host, const struct error *err);
/* The member "resources": what else of the manifests a plan is carried out with. */
json_t *saved_resources(const struct manifest_set *set, const struct saved_key *key);

/* Is anything masked in the plan, or secret in what it is carried out with? */
bool saved_needs_key(const struct plan *plan);
bool saved_set_needs_key(const struct manifest_set *set);

/* The members "key" and, once all others are there, "mac": an altered plan is told from one whose
 * hosts have moved. */
json_t *saved_key_json(const struct saved_key *key);
void saved_seal(json_t *document, const struct saved_key *key);
/* ERROR_REFUSED: sealed with another key, altered, or not sealed. */
MUST_CHECK int saved_check_seal(const json_t *document, const struct saved_key *key,
				struct error *err);

/* Text -> document, every member checked. ERROR_INVALID for what is no plan, or one of another
 * format; the message names the member. */
MUST_CHECK int saved_parse(const char *text, size_t len, json_t **ret_document, struct error *err);
/* JSON Schema 2020-12 of the document. New reference. */
json_t *saved_json_schema(void);

/*
 * What is different between a saved plan and one made anew with its options: rows {"host",
 * "resource", "field", "planned", "found"}, of which host, resource and field may be null. Empty:
 * the same. Hosts that either could not look at are left out. New reference.
 */
json_t *saved_compare(const json_t *saved, const json_t *fresh);
/* "h1: Container/web: mem_limit: 64M was planned, it is 32M now", one line a row. */
void saved_print_moved(const json_t *rows, struct str *out);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * While a network is replaced, the endpoints of containers that no manifest could put back are
 * written down on the host itself: in the label of an empty volume NETWORK.drey-endpoints, made
 * before the first container is taken off and removed when the last is back. Whoever comes next
 * finds it there, whatever became of drey and its state.
 *
 * Such a volume is no Volume resource: never listed, never left over.
 */
#pragma once

#include "reconcilers/reconciler.h"

/* endpoints: {"container ID": EndpointSettings}; where there are notes already, what they hold
 * stays too. */
MUST_CHECK int network_note(struct pass *pass, const struct resource *want, const json_t *endpoints,
			    struct error *err);
/* Puts those that are noted on the network, and removes the notes. Success where there are none. */
MUST_CHECK int network_put_noted(struct pass *pass, const struct resource *want, struct error *err);
/* struct reconciler.recover of networks: what an interrupted replacement has left off. Where the
 * network is not there either, its creation puts them back. */
int network_recover(struct pass *pass, bool *ret_changed, struct error *err);

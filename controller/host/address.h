/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where an engine is: ssh://[user@]host[:port], unix:///path. */
#pragma once

#include "controller/base/arena.h"
#include "controller/base/error.h"

enum host_scheme { HOST_SCHEME_UNIX, HOST_SCHEME_SSH };

struct host_address {
	enum host_scheme scheme;
	const char *user; /* ssh; NULL: the user who runs drey */
	const char *host; /* ssh; IPv6 without its brackets */
	int port;	  /* ssh; 22 when not written */
	const char *path; /* unix */
};

/* Strings live in the arena. ERROR_INVALID says what is expected. */
MUST_CHECK int host_address_parse(struct arena *arena, const char *text,
				  struct host_address *ret_address, struct error *err);

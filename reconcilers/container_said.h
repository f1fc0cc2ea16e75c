/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a container, or a command that was run in one, has said. Without a terminal the engine sends
 * frames of 8 bytes of header (stream, three zeros, length in big endian) and a payload, see
 * "Stream format" of
 * https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
 */
#pragma once

#include "controller/base/str.h"
#include "reconcilers/reconciler.h"

enum { SAID_FRAME_HEADER = 8, SAID_CEILING = 64 * 1024 };

struct said {
	bool framed;   /* there is no terminal */
	bool to_end;   /* all is read, and the end of it kept; else reading ends at the ceiling */
	bool headless; /* the beginning was dropped: the first line is half of one */
	unsigned char header[SAID_FRAME_HEADER];
	size_t header_len;
	uint32_t left; /* of the frame's payload */
	struct str text;
};

void said_init(struct said *said, bool framed, bool to_end);
void said_done(struct said *said);
/* A sink of engine_stream(). ERROR_REMOTE for what is no frame. */
int said_take(void *ctx, const char *data, size_t len, struct error *err);
/* The last lines in one, fit for a message, without the secrets of `want` (may be NULL) and of the
 * manifests; "" where there are none. In the pass's arena. Once: the text is used up. */
const char *said_last_lines(struct pass *pass, struct said *said, const struct resource *want);

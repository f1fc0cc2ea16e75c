/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Platforms of images: OS[/ARCHITECTURE[/VARIANT]], as containerd/platforms reads them. Pure. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* Is what an engine shows of an image (Os, Architecture, Variant) or of a descriptor (os,
 * architecture, variant) of the wanted platform? What either side leaves out matches anything. */
bool platform_matches(const char *wanted, const json_t *image);
/* "linux/arm64/v8" of the same; new reference, NULL where the engine does not tell. */
json_t *platform_text(const json_t *image);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kinds as they are named on the command line. */
#pragma once

#include "controller/base/error.h"
#include "controller/cli/command.h"
#include "manifests/kind.h"
#include "reconcilers/reconciler.h"

/* However it is capitalised; NULL with *err set, which names the nearest. */
const struct kind *kind_named(const char *name, struct error *err);

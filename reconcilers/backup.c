/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reconcilers/reconciler.h"

static const char *const whiles[] = { "stopped", "paused", "running", NULL };

static const struct field fields[] = {
	{
		.key = "volumes",
		.type = &type_string_set,
		.flags = FIELD_REQUIRED,
		.ref = "Volume",
		.example = "[web-data]",
		.doc = "The Volumes that are backed up, on each host that has them.",
	},
	{
		.key = "directory",
		.type = &type_string,
		.flags = FIELD_REQUIRED | FIELD_PATH,
		.example = "/var/backups/drey",
		.doc = "Where the backups go, on the machine that runs drey: absolute, below ~/, "
		       "or "
		       "relative to the manifest (and inside its directory).",
	},
	{
		.key = "while",
		.type = &type_enum,
		.choices = whiles,
		.fallback = "\"stopped\"",
		.example = "paused",
		.doc = "What the containers that use a volume do meanwhile; a backup while they "
		       "run may "
		       "hold files from different moments.",
	},
};

static const struct schema schema = {
	.name = "Backup",
	.doc = "Which volumes are backed up where.",
	.fields = fields,
	.count = ARRAY_SIZE(fields),
};

const struct reconciler reconciler_backup = {
	.kind = {
		.name = "Backup",
		.doc = "Volumes and the directory their backups go to: for `drey backup`, and for "
		       "whatever says backup_first.",
		.scope = SCOPE_PROJECT,
		.spec = &schema,
		.example = "apiVersion: drey/v1\n"
			   "kind: Backup\n"
			   "metadata: { name: nightly }\n"
			   "spec:\n"
			   "  volumes: [web-data]\n"
			   "  directory: /var/backups/drey\n"
			   "  while: stopped\n",
	},
};

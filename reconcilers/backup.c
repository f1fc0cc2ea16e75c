/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reconcilers/backup.h"

#include <string.h>

#include "controller/base/str.h"
#include "reconcilers/volume.h"

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

const struct resource *backup_of_volume(const struct manifest_set *set, const char *volume)
{
	for (size_t i = 0; set && i < set_count(set, "Backup"); i++) {
		const struct resource *backup = set_at(set, "Backup", i);
		const json_t *name;
		size_t j;

		json_array_foreach (resource_get(backup, "volumes"), j, name)
			if (str_eq(json_string_value(name), volume))
				return backup;
	}
	return NULL;
}

const char *backup_volume_name(const struct pass *pass, const char *engine_volume)
{
	for (size_t i = 0; i < pass->desired->count; i++) {
		const struct resource *resource = pass->desired->resources[i];

		if (strcmp(resource->kind->name, "Volume") == 0 &&
		    strcmp(volume_engine_name(pass, resource->name), engine_volume) == 0)
			return resource->name;
	}
	return NULL;
}

bool backup_is_kept(const struct pass *pass, const char *engine_volume)
{
	const struct object *object =
		pass_find_engine_name(pass, &reconciler_find("Volume")->kind, engine_volume);
	const struct object *current =
		object && object->ours ? volume_current(pass, object->own.name) : NULL;

	return current && current->own.generation > object->own.generation;
}

static int require_one(const struct pass *pass, const char *volume, struct error *err)
{
	if (backup_of_volume(pass->set, volume))
		return 0;
	return error_set(err, ERROR_REFUSED,
			 "backup_first is set, but no Backup document lists Volume/%s; add one "
			 "that names a directory",
			 volume);
}

int backup_require(const struct pass *pass, const struct resource *resource,
		   const struct object *object, struct error *err)
{
	const json_t *mount;
	size_t i;

	if (strcmp(resource->kind->name, "Volume") == 0)
		return require_one(pass, resource->name, err);
	json_array_foreach (json_object_get(object->inspect, "Mounts"), i, mount) {
		const char *engine_volume = json_string_value(json_object_get(mount, "Name"));

		if (!engine_volume ||
		    !str_eq(json_string_value(json_object_get(mount, "Type")), "volume") ||
		    backup_is_kept(pass, engine_volume))
			continue;
		const char *volume = backup_volume_name(pass, engine_volume);
		if (!volume)
			return error_set(err, ERROR_REFUSED,
					 "backup_first is set, but volume %s has no Volume "
					 "document and so no Backup; declare it, and a Backup that "
					 "lists it",
					 engine_volume);
		if (require_one(pass, volume, err) < 0)
			return -1;
	}
	return 0;
}

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

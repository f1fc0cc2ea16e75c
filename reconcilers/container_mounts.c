/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Volumes, directories of the host, memory file systems.
 *
 * An engine takes mounts in three places: HostConfig.Mounts, HostConfig.Binds (text) and
 * Config.Volumes (anonymous volumes, the image's among them). What was asked for is read back from
 * those three; the top-level Mounts of inspect is the merged view of what came of it, in which a
 * default propagation and the names of anonymous volumes have been filled in.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/vec.h"
#include "reconcilers/container_codec.h"

static const char *const mount_types[] = { "volume", "bind", "tmpfs", "image", NULL };
static const unsigned mount_types_since[] = { 0, 0, 0, 48 };
static const struct refused mount_types_refused[] = {
	{ "npipe", "drey keeps Linux containers only" },
	{ "cluster", "only Swarm has cluster volumes; write type: volume and a driver" },
	{ NULL, NULL },
};
static const char *const recursions[] = { "enabled", "disabled", "writable", "readonly", NULL };
static const unsigned recursions_since[] = { 0, 0, 44, 44 };
static const char *const propagations[] = { "private", "rprivate", "shared", "rshared",
					    "slave",   "rslave",   NULL };
static const char *const selinux_modes[] = { "z", "Z", NULL };

static const struct field bind_fields[] = {
	{ .key = "propagation",
	  .type = &type_enum,
	  .choices = propagations,
	  .fallback = "\"rprivate\"",
	  .doc = "How mounts made later below the directory spread." },
	{ .key = "recursive",
	  .type = &type_enum,
	  .choices = recursions,
	  .choices_since = recursions_since,
	  .fallback = "\"enabled\"",
	  .doc = "What becomes of mounts below the directory: enabled takes them along, disabled "
		 "leaves them out; of a read-only bind, writable leaves them writable, readonly "
		 "fails where they can't be made read-only too." },
	{ .key = "create_host_path",
	  .type = &type_bool,
	  .fallback = "true",
	  .flags = FIELD_OURS,
	  .doc = "Make the directory on the host where it is missing." },
	{ .key = "selinux",
	  .type = &type_enum,
	  .choices = selinux_modes,
	  .flags = FIELD_OURS,
	  .doc = "Relabel for SELinux: z for sharing with other containers, Z for this one only." },
};

static const struct schema bind_schema = {
	.name = "bind options",
	.doc = "Options of a directory of the host.",
	.fields = bind_fields,
	.count = ARRAY_SIZE(bind_fields),
};

static const struct field driver_fields[] = {
	{ .key = "name", .type = &type_string, .doc = "The driver; silence means local." },
	{ .key = "options", .type = &type_map, .doc = "Options of the driver." },
};

static const struct schema driver_schema = {
	.name = "volume driver",
	.doc = "Who makes the volume.",
	.fields = driver_fields,
	.count = ARRAY_SIZE(driver_fields),
};

static const struct field volume_fields[] = {
	{ .key = "nocopy",
	  .type = &type_bool,
	  .fallback = "false",
	  .flags = FIELD_OURS,
	  .doc = "Do not fill an empty volume with what the image has at the target." },
	{ .key = "subpath",
	  .type = &type_string,
	  .since = 45,
	  .doc = "Mount this directory of the volume instead of its root." },
	{ .key = "labels",
	  .type = &type_map,
	  .doc = "Labels of an anonymous volume; those of others are in the Volume." },
	{ .key = "driver_config",
	  .type = &type_object,
	  .of = &driver_schema,
	  .doc = "Driver of an anonymous volume; those of others are in the Volume." },
};

static const struct schema volume_options_schema = {
	.name = "volume options",
	.doc = "Options of a volume's mount.",
	.fields = volume_fields,
	.count = ARRAY_SIZE(volume_fields),
};

static const struct field tmpfs_fields[] = {
	{ .key = "size",
	  .type = &type_size,
	  .fallback = "0",
	  .doc = "Size at most; 0 for half of the host's memory." },
	{ .key = "mode",
	  .type = &type_string,
	  .pattern = "^0?[0-7]{3,4}$",
	  .doc = "Permissions of its root directory, in octal." },
	{ .key = "options",
	  .type = &type_string_set,
	  .since = 46,
	  .pattern = "^[a-z_]+(=.*)?$",
	  .doc = "Further mount options, as noexec." },
};

static const struct schema tmpfs_options_schema = {
	.name = "tmpfs options",
	.doc = "Options of a memory file system.",
	.fields = tmpfs_fields,
	.count = ARRAY_SIZE(tmpfs_fields),
};

static const struct field image_fields[] = {
	{ .key = "subpath",
	  .type = &type_string,
	  .since = 48,
	  .doc = "Mount this directory of the image instead of its root." },
};

static const struct schema image_options_schema = {
	.name = "image options",
	.doc = "Options of an image's mount.",
	.fields = image_fields,
	.count = ARRAY_SIZE(image_fields),
};

/* A volume is named by its resource; everything else lies on the host. */
static const char *source_ref_of(const json_t *object)
{
	const char *type = json_string_value(json_object_get(object, "type"));

	return !type || strcmp(type, "volume") == 0 ? "Volume" : NULL;
}

static json_t *expand_mount(const char *text, struct error *err);
static bool print_mount(const json_t *mount, struct str *out);

static const struct field mount_fields[] = {
	{ .key = "type",
	  .type = &type_enum,
	  .choices = mount_types,
	  .choices_since = mount_types_since,
	  .refused = mount_types_refused,
	  .fallback = "\"volume\"",
	  .doc = "What it is." },
	{ .key = "source",
	  .type = &type_string,
	  .ref_of = source_ref_of,
	  .doc = "The volume's name, the absolute path of a directory of the host, or the image; "
		 "silence makes an anonymous volume." },
	{ .key = "target",
	  .type = &type_string,
	  .pattern = "^/",
	  .flags = FIELD_REQUIRED | FIELD_KEY,
	  .doc = "Where it is seen inside the container." },
	{ .key = "read_only",
	  .type = &type_bool,
	  .fallback = "false",
	  .doc = "It can't be written." },
	{ .key = "bind", .type = &type_object, .of = &bind_schema, .doc = "Options of a bind." },
	{ .key = "volume",
	  .type = &type_object,
	  .of = &volume_options_schema,
	  .doc = "Options of a volume." },
	{ .key = "tmpfs",
	  .type = &type_object,
	  .of = &tmpfs_options_schema,
	  .doc = "Options of a tmpfs." },
	{ .key = "image",
	  .type = &type_object,
	  .of = &image_options_schema,
	  .doc = "Options of an image." },
};

static const struct short_form mount_short = {
	.syntax = "[VOLUME|/HOST/PATH:]/TARGET[:OPTIONS]",
	.expand = expand_mount,
	.print = print_mount,
};

static const struct refused mount_refused[] = {
	{ "consistency", "it means something to Docker Desktop only" },
	{ NULL, NULL },
};

const struct schema container_mount_schema = {
	.name = "mount",
	.doc = "Something of the host that the container sees.",
	.fields = mount_fields,
	.count = ARRAY_SIZE(mount_fields),
	.short_form = &mount_short,
	.refused = mount_refused,
};

char *path_clean(const char *path)
{
	char *clean = xmalloc(strlen(path) + 2), *out = clean;

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 0 || (len == 1 && *path == '.')) {
			/* nothing */
		} else if (len == 2 && strncmp(path, "..", 2) == 0) {
			while (out > clean && *--out != '/')
				;
		} else {
			*out++ = '/';
			memcpy(out, path, len);
			out += len;
		}
		path += len + (path[len] == '/');
	}
	if (out == clean)
		*out++ = '/';
	*out = '\0';
	return clean;
}

/* 64 hexadecimal digits: moby volume/service uses stringid.GenerateRandomID(). */
bool volume_name_is_anonymous(const char *name)
{
	return strspn(name, "0123456789abcdef") == 64 && name[64] == '\0';
}

/* --- short form --- */

static void set_option(json_t *mount, const char *group, const char *key, json_t *value)
{
	if (!json_object_get(mount, group))
		json_object_set_new(mount, group, json_object());
	json_object_set_new(json_object_get(mount, group), key, value);
}

static bool is_one_of(const char *const *words, const char *word)
{
	while (*words && strcmp(*words, word) != 0)
		words++;
	return *words != NULL;
}

/* One of the options behind the second colon. False: there is no such option. */
static bool apply_option(json_t *mount, const char *option)
{
	bool bind = strcmp(json_string_value(json_object_get(mount, "type")), "bind") == 0;

	if (strcmp(option, "ro") == 0)
		json_object_set_new(mount, "read_only", json_true());
	else if (strcmp(option, "nocopy") == 0 && !bind)
		set_option(mount, "volume", "nocopy", json_true());
	else if ((strcmp(option, "z") == 0 || strcmp(option, "Z") == 0) && bind)
		set_option(mount, "bind", "selinux", json_string(option));
	else if (is_one_of(propagations, option) && bind)
		set_option(mount, "bind", "propagation", json_string(option));
	else
		/* A volume is labelled so anyhow; the rest is Docker Desktop's, of no meaning to an
		 * engine on Linux. */
		return strcmp(option, "rw") == 0 || (strcmp(option, "z") == 0 && !bind) ||
		       strcmp(option, "cached") == 0 || strcmp(option, "delegated") == 0 ||
		       strcmp(option, "consistent") == 0;
	return true;
}

static bool apply_options(json_t *mount, char *options, struct error *err)
{
	char *save, *option = strtok_r(options, ",", &save);

	for (; option; option = strtok_r(NULL, ",", &save)) {
		if (!apply_option(mount, option)) {
			error_set(err, ERROR_INVALID, "'%s' is no option of this mount", option);
			return false;
		}
	}
	return true;
}

static json_t *expand_mount(const char *text, struct error *err)
{
	char *copy = xstrdup(text), *save, *first, *second, *options;
	json_t *mount = NULL;

	first = strtok_r(copy, ":", &save);
	second = strtok_r(NULL, ":", &save);
	options = second ? strtok_r(NULL, ":", &save) : NULL;
	if (!first || (options && strtok_r(NULL, ":", &save))) {
		error_set(err, ERROR_INVALID, "expected [VOLUME|/HOST/PATH:]/TARGET[:OPTIONS]");
	} else if ((second ? second : first)[0] != '/') {
		error_set(err, ERROR_INVALID,
			  "the target inside the container must be an absolute "
			  "path");
	} else if (!second) {
		mount = json_pack("{s:s, s:s}", "type", "volume", "target", first);
	} else if (first[0] == '/') {
		mount = json_pack("{s:s, s:s, s:s}", "type", "bind", "source", first, "target",
				  second);
	} else if (first[0] == '.' || first[0] == '~') {
		error_set(err, ERROR_INVALID,
			  "a bind names a directory of the host by its absolute "
			  "path: relative ones have nothing to be relative to");
	} else {
		mount = json_pack("{s:s, s:s, s:s}", "type", "volume", "source", first, "target",
				  second);
	}
	if (mount && options && !apply_options(mount, options, err)) {
		json_decref(mount);
		mount = NULL;
	}
	free(copy);
	return mount ? json_pack("[o]", mount) : NULL;
}

static const char *member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static bool print_mount(const json_t *mount, struct str *out)
{
	const json_t *bind = json_object_get(mount, "bind");
	const json_t *volume = json_object_get(mount, "volume");
	const char *source = member(mount, "source"), *propagation = member(bind, "propagation");
	const char *separator = ":";

	if (strcmp(member(mount, "type"), "tmpfs") == 0 ||
	    strcmp(member(mount, "type"), "image") == 0 || json_object_get(volume, "subpath") ||
	    json_object_get(volume, "labels") || json_object_get(volume, "driver_config") ||
	    json_object_get(bind, "recursive") ||
	    json_is_false(json_object_get(bind, "create_host_path")) || !*member(mount, "target"))
		return false;
	str_printf(out, "%s%s%s", source, *source ? ":" : "", member(mount, "target"));
	if (!*source)
		return !json_is_true(json_object_get(mount, "read_only"));
	if (json_is_true(json_object_get(mount, "read_only"))) {
		str_printf(out, "%sro", separator);
		separator = ",";
	}
	if (json_is_true(json_object_get(volume, "nocopy"))) {
		str_printf(out, "%snocopy", separator);
		separator = ",";
	}
	if (*member(bind, "selinux")) {
		str_printf(out, "%s%s", separator, member(bind, "selinux"));
		separator = ",";
	}
	if (*propagation)
		str_printf(out, "%s%s", separator, propagation);
	return true;
}

/* --- create body --- */

static void encode_bind(const json_t *mount, json_t *body)
{
	const json_t *bind = json_object_get(mount, "bind");
	json_t *options = json_object();

	if (*member(bind, "propagation"))
		json_object_set(options, "Propagation", json_object_get(bind, "propagation"));
	if (strcmp(member(bind, "recursive"), "disabled") == 0)
		json_object_set_new(options, "NonRecursive", json_true());
	else if (strcmp(member(bind, "recursive"), "writable") == 0)
		json_object_set_new(options, "ReadOnlyNonRecursive", json_true());
	else if (strcmp(member(bind, "recursive"), "readonly") == 0)
		json_object_set_new(options, "ReadOnlyForceRecursive", json_true());
	if (!json_is_false(json_object_get(bind, "create_host_path")))
		json_object_set_new(options, "CreateMountpoint", json_true());
	if (*member(bind, "selinux"))
		json_object_set(options, "SELinux", json_object_get(bind, "selinux"));
	json_object_set_new(body, "BindOptions", options);
}

static json_t *encode_driver(const json_t *volume)
{
	const json_t *driver = json_object_get(volume, "driver_config");

	return json_pack("{s:O*, s:O*}", "Name", json_object_get(driver, "name"), "Options",
			 json_object_get(driver, "options"));
}

static void encode_volume(const json_t *mount, json_t *body)
{
	const json_t *volume = json_object_get(mount, "volume");
	json_t *options = json_object();

	if (json_is_true(json_object_get(volume, "nocopy")))
		json_object_set_new(options, "NoCopy", json_true());
	if (*member(volume, "subpath"))
		json_object_set(options, "Subpath", json_object_get(volume, "subpath"));
	if (json_object_get(volume, "labels"))
		json_object_set(options, "Labels", json_object_get(volume, "labels"));
	if (json_object_get(volume, "driver_config"))
		json_object_set_new(options, "DriverConfig", encode_driver(volume));
	if (json_object_size(options))
		json_object_set_new(body, "VolumeOptions", options);
	else
		json_decref(options);
}

/* "noexec" -> ["noexec"], "uid=1000" -> ["uid", "1000"]. */
static json_t *encode_words(const json_t *options)
{
	json_t *list = json_array(), *option;
	size_t i;

	json_array_foreach (options, i, option) {
		const char *text = json_string_value(option);
		size_t key = strcspn(text, "=");

		if (text[key])
			json_array_append_new(list,
					      json_pack("[s%, s]", text, key, text + key + 1));
		else
			json_array_append_new(list, json_pack("[s]", text));
	}
	return list;
}

static json_t *decode_words(const json_t *options)
{
	json_t *list = json_array(), *option;
	size_t i;

	json_array_foreach (options, i, option) {
		const char *key = json_string_value(json_array_get(option, 0));
		const char *value = json_string_value(json_array_get(option, 1));

		if (key)
			json_array_append_new(list, json_sprintf("%s%s%s", key, value ? "=" : "",
								 value ? value : ""));
	}
	return list;
}

static void encode_image(const json_t *mount, json_t *body)
{
	const json_t *image = json_object_get(mount, "image");

	if (*member(image, "subpath"))
		json_object_set_new(body, "ImageOptions",
				    json_pack("{s:s}", "Subpath", member(image, "subpath")));
}

/* Mode is what Go calls a FileMode, but the engine prints it as it is, in octal (moby
 * volume/mounts/linux_parser.go). */
static void encode_tmpfs(const json_t *mount, json_t *body)
{
	const json_t *tmpfs = json_object_get(mount, "tmpfs");
	json_t *options = json_object();

	if (json_integer_value(json_object_get(tmpfs, "size")))
		json_object_set(options, "SizeBytes", json_object_get(tmpfs, "size"));
	if (*member(tmpfs, "mode"))
		json_object_set_new(options, "Mode",
				    json_integer(strtol(member(tmpfs, "mode"), NULL, 8)));
	if (json_array_size(json_object_get(tmpfs, "options")))
		json_object_set_new(options, "Options",
				    encode_words(json_object_get(tmpfs, "options")));
	if (json_object_size(options))
		json_object_set_new(body, "TmpfsOptions", options);
	else
		json_decref(options);
}

static json_t *encode_volumes(const struct field *field, const json_t *value)
{
	json_t *list = json_array(), *mount;
	size_t i;

	(void)field;
	json_array_foreach ((json_t *)value, i, mount) {
		const char *type = member(mount, "type");
		json_t *body = json_pack("{s:s, s:s}", "Type", *type ? type : "volume", "Target",
					 member(mount, "target"));

		if (*member(mount, "source"))
			json_object_set(body, "Source", json_object_get(mount, "source"));
		if (json_is_true(json_object_get(mount, "read_only")))
			json_object_set_new(body, "ReadOnly", json_true());
		if (strcmp(type, "bind") == 0)
			encode_bind(mount, body);
		else if (strcmp(type, "tmpfs") == 0)
			encode_tmpfs(mount, body);
		else if (strcmp(type, "image") == 0)
			encode_image(mount, body);
		else
			encode_volume(mount, body);
		json_array_append_new(list, body);
	}
	return list;
}

static void append_bind(json_t *host, const json_t *mount)
{
	const json_t *options = json_object_get(mount, "BindOptions");
	struct str text;

	str_init(&text, 0);
	str_printf(&text, "%s:%s:%s", member(mount, "Source"), member(mount, "Target"),
		   json_is_true(json_object_get(mount, "ReadOnly")) ? "ro" : "rw");
	if (*member(options, "SELinux"))
		str_printf(&text, ",%s", member(options, "SELinux"));
	if (*member(options, "Propagation"))
		str_printf(&text, ",%s", member(options, "Propagation"));
	if (!json_object_get(host, "Binds"))
		json_object_set_new(host, "Binds", json_array());
	json_array_append_new(json_object_get(host, "Binds"), json_string(text.data));
	str_done(&text);
}

void mounts_lower(json_t *body, int engine_api)
{
	json_t *host = json_object_get(body, "HostConfig");
	json_t *mounts = json_object_get(host, "Mounts");

	for (size_t i = 0; i < json_array_size(mounts);) {
		json_t *mount = json_array_get(mounts, i);
		json_t *options = json_object_get(mount, "BindOptions");
		bool create = json_is_true(json_object_get(options, "CreateMountpoint"));
		bool text = !strchr(member(mount, "Source"), ':') &&
			    !strchr(member(mount, "Target"), ':') &&
			    !json_is_true(json_object_get(options, "NonRecursive"));

		if (text && ((create && engine_api < 42) || *member(options, "SELinux"))) {
			append_bind(host, mount);
			json_array_remove(mounts, i);
			continue;
		}
		json_object_del(options, "SELinux");
		i++;
	}
	if (mounts && json_array_size(mounts) == 0)
		json_object_del(host, "Mounts");
}

/* --- inspect --- */

static void decode_bind_options(json_t *mount, const json_t *bind)
{
	if (*member(bind, "Propagation"))
		set_option(mount, "bind", "propagation",
			   json_incref(json_object_get(bind, "Propagation")));
	if (json_is_true(json_object_get(bind, "NonRecursive")))
		set_option(mount, "bind", "recursive", json_string("disabled"));
	else if (json_is_true(json_object_get(bind, "ReadOnlyForceRecursive")))
		set_option(mount, "bind", "recursive", json_string("readonly"));
	else if (json_is_true(json_object_get(bind, "ReadOnlyNonRecursive")))
		set_option(mount, "bind", "recursive", json_string("writable"));
}

static void decode_volume_options(json_t *mount, const json_t *volume)
{
	const json_t *driver = json_object_get(volume, "DriverConfig");

	if (*member(volume, "Subpath"))
		set_option(mount, "volume", "subpath",
			   json_incref(json_object_get(volume, "Subpath")));
	/* Newer engines mark anonymous volumes so by themselves (moby volume/service/service.go).
	 */
	json_t *labels = json_copy(json_object_get(volume, "Labels"));
	json_object_del(labels, "com.docker.volume.anonymous");
	if (json_object_size(labels))
		set_option(mount, "volume", "labels", json_incref(labels));
	json_decref(labels);
	if (*member(driver, "Name") || json_object_size(json_object_get(driver, "Options")))
		set_option(
			mount, "volume", "driver_config",
			json_pack("{s:O*, s:O*}", "name",
				  *member(driver, "Name") ? json_object_get(driver, "Name") : NULL,
				  "options", json_object_get(driver, "Options")));
}

static json_t *decode_mount(const json_t *body)
{
	const json_t *bind = json_object_get(body, "BindOptions");
	const json_t *volume = json_object_get(body, "VolumeOptions");
	const json_t *tmpfs = json_object_get(body, "TmpfsOptions");
	const char *type = member(body, "Type"), *source = member(body, "Source");
	char *target = path_clean(member(body, "Target"));
	json_t *mount = json_pack("{s:s, s:s}", "type", type, "target", target);
	json_int_t mode = json_integer_value(json_object_get(tmpfs, "Mode"));

	free(target);
	if (*source && !(strcmp(type, "volume") == 0 && volume_name_is_anonymous(source)))
		json_object_set_new(mount, "source", json_string(source));
	if (json_is_true(json_object_get(body, "ReadOnly")))
		json_object_set_new(mount, "read_only", json_true());
	decode_bind_options(mount, bind);
	decode_volume_options(mount, volume);
	if (*member(json_object_get(body, "ImageOptions"), "Subpath"))
		set_option(mount, "image", "subpath",
			   json_incref(json_object_get(json_object_get(body, "ImageOptions"),
						       "Subpath")));
	if (json_array_size(json_object_get(tmpfs, "Options")))
		set_option(mount, "tmpfs", "options",
			   decode_words(json_object_get(tmpfs, "Options")));
	if (json_integer_value(json_object_get(tmpfs, "SizeBytes")))
		set_option(mount, "tmpfs", "size",
			   json_incref(json_object_get(tmpfs, "SizeBytes")));
	if (mode)
		set_option(mount, "tmpfs", "mode", json_sprintf("%llo", (unsigned long long)mode));
	return mount;
}

static json_t *decode_bind(const char *text)
{
	struct error err = ERROR_INIT;
	json_t *list = expand_mount(text, &err), *mount;
	char *target;

	/* What drey's short form does not know (a path of another system, an option of a
	 * plugin) is kept as it came: it differs from whatever a manifest can say. */
	if (!list)
		return json_pack("{s:s, s:s}", "type", "bind", "target", text);
	mount = json_incref(json_array_get(list, 0));
	json_decref(list);
	target = path_clean(member(mount, "target"));
	json_object_set_new(mount, "target", json_string(target));
	free(target);
	if (volume_name_is_anonymous(member(mount, "source")))
		json_object_del(mount, "source");
	return mount;
}

static bool is_covered(const json_t *list, const char *target)
{
	json_t *mount;
	size_t i;

	json_array_foreach ((json_t *)list, i, mount) {
		char *clean = path_clean(member(mount, "target"));
		bool same = strcmp(clean, target) == 0;

		free(clean);
		if (same)
			return true;
	}
	return false;
}

/* Anonymous volumes of Config.Volumes, except where something else is mounted already (moby
 * daemon/create_unix.go). */
static void add_anonymous(json_t *list, const json_t *volumes)
{
	json_t *unused;
	const char *path;

	json_object_foreach ((json_t *)volumes, path, unused) {
		char *target = path_clean(path);

		if (!is_covered(list, target))
			json_array_append_new(
				list, json_pack("{s:s, s:s}", "type", "volume", "target", target));
		free(target);
	}
}

static json_t *decode_volumes(const struct field *field, const json_t *at, const json_t *whole)
{
	const json_t *host = json_object_get(whole, "HostConfig");
	json_t *list = json_array(), *item;
	size_t i;

	(void)field;
	(void)at;
	json_array_foreach (json_object_get(host, "Mounts"), i, item)
		json_array_append_new(list, decode_mount(item));
	json_array_foreach (json_object_get(host, "Binds"), i, item) {
		if (json_is_string(item))
			json_array_append_new(list, decode_bind(json_string_value(item)));
	}
	add_anonymous(list, json_object_get(json_object_get(whole, "Config"), "Volumes"));
	return list;
}

static json_t *inherit_volumes(const struct field *field, const json_t *written, const json_t *spec,
			       const json_t *image_config)
{
	json_t *list = written ? json_copy((json_t *)written) : json_array();

	(void)field;
	(void)spec;
	add_anonymous(list, json_object_get(image_config, "Volumes"));
	return list;
}

const struct codec codec_volumes = {
	.encode = encode_volumes,
	.decode = decode_volumes,
	.inherit = inherit_volumes,
};

/* --- tmpfs --- */

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The engine keeps the options as text; their order means nothing. */
static void append_sorted(struct str *out, const char *options)
{
	char *copy = xstrdup(options), *save, *word = strtok_r(copy, ",", &save);
	VEC(const char *) words = { 0 };

	for (; word; word = strtok_r(NULL, ",", &save))
		vec_push(&words, word);
	if (words.count)
		qsort(words.items, words.count, sizeof(*words.items), compare_words);
	for (size_t i = 0; i < words.count; i++)
		str_printf(out, "%s%s", i ? "," : ":", words.items[i]);
	vec_done(&words);
	free(copy);
}

static json_t *tmpfs_text(const char *path, const char *options)
{
	char *clean = path_clean(path);
	struct str text;

	str_init(&text, 0);
	str_append(&text, clean);
	append_sorted(&text, options);
	json_t *value = json_string(text.data);
	str_done(&text);
	free(clean);
	return value;
}

json_t *tmpfs_normalize(const char *text)
{
	size_t len = strcspn(text, ":");
	char *path = xstrndup(text, len);
	json_t *value = tmpfs_text(path, text[len] ? text + len + 1 : "");

	free(path);
	return value;
}

static json_t *encode_tmpfs_row(const struct field *field, const json_t *value)
{
	json_t *map = json_object(), *item;
	size_t i;

	(void)field;
	json_array_foreach ((json_t *)value, i, item) {
		const char *text = json_string_value(item);
		size_t len = strcspn(text, ":");

		json_object_setn_new(map, text, len, json_string(text[len] ? text + len + 1 : ""));
	}
	return map;
}

static json_t *decode_tmpfs_row(const struct field *field, const json_t *at, const json_t *whole)
{
	json_t *list, *options;
	const char *path;

	(void)field;
	(void)whole;
	if (!json_is_object(at))
		return json_incref((json_t *)at);
	list = json_array();
	json_object_foreach ((json_t *)at, path, options) {
		const char *text = json_string_value(options);

		json_array_append_new(list, tmpfs_text(path, text ? text : ""));
	}
	return list;
}

const struct codec codec_tmpfs = { .encode = encode_tmpfs_row, .decode = decode_tmpfs_row };

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Container rows whose value is not simply what stands in the engine's JSON: their codecs, the
 * types that only they have, and the tables of the objects inside them.
 *
 * A decoder answers NULL for whatever stands for silence ("", null, a zero), so that absent
 * equals absent whichever way the engine of the day spells it. Functions named _normalize and
 * _clean bring one value's several spellings into one; container_resolve() applies them to what
 * the manifest says, the decoders to what the engine says.
 */
#pragma once

#include "manifests/schema.h"

/* container_text.c: what the process gets */
/* What `one` makes of each text of a list, NULL of what is left out; what is no list as it is. New
 * reference. */
json_t *map_texts(const json_t *list, json_t *(*one)(const char *text));
extern const struct codec codec_text;	   /* "" is silence */
extern const struct codec codec_inherited; /* the same, and the image's value for silence */
extern const struct codec codec_directory; /* the same of a path, cleaned */
extern const struct codec codec_command;
extern const struct codec codec_entrypoint;
extern const struct codec codec_environment;
extern const struct codec codec_labels;
extern const struct codec codec_restart;
extern const struct codec codec_stop_signal;
extern const struct codec codec_grace_period;
extern const struct codec codec_hostname; /* host and domain name */
extern const struct codec codec_capabilities;
extern const struct codec codec_security;
extern const struct schema container_console_schema;
extern const struct codec codec_console;
/* "NET_ADMIN", "cap_net_admin" -> "CAP_NET_ADMIN"; "all" -> "ALL". New reference. */
json_t *capability_normalize(const char *name);
/* "15", "term", "SIGTERM" -> "SIGTERM". New reference. */
json_t *signal_normalize(const char *name);
/* "no-new-privileges" -> "no-new-privileges:true", "label:x" -> "label=x". New reference. */
json_t *security_normalize(const char *option);

/* container_ports.c */
extern const struct schema container_port_schema;
extern const struct codec codec_ports;
extern const struct codec codec_expose;
/* Appends "3000/udp", "3001/udp" for "3000-3001/udp" and "80/tcp" for "80"; false when malformed.
 */
bool expose_expand(const char *text, json_t *array);

/* container_mounts.c */
extern const struct schema container_mount_schema;
extern const struct codec codec_volumes;
extern const struct codec codec_tmpfs;
/* A path as path.Clean of Go leaves it, which is how the engine keeps targets. free(3) it. */
char *path_clean(const char *path);
/* "PATH:size=1m,noexec" with a clean path and its options sorted. New reference. */
json_t *tmpfs_normalize(const char *text);
/* Is this the name that an engine gives to a volume without a name? */
bool volume_name_is_anonymous(const char *name);
/* In a create body: turns mounts that on this engine only HostConfig.Binds can express into such,
 * those that make the host's directory before API 1.42 and SELinux labels on any. */
void mounts_lower(json_t *body, int engine_api);

/* container_networks.c */
extern const struct value_type type_extra_hosts;
extern const struct schema container_endpoint_schema;
extern const struct schema container_dependency_schema;
extern const struct codec codec_extra_hosts;
extern const struct codec codec_networks;
extern const struct codec codec_mac;
extern const struct codec codec_addresses;
extern const struct codec codec_network_mode;
extern const struct codec codec_namespace; /* ipc, pid */
/* References of network_mode, ipc and pid: "service:db", "container:db". */
const char *namespace_ref_of(const json_t *object);
const char *namespace_ref_name(const json_t *value);
/* An address as inet_ntop(3) writes it, other text as it is. New reference. */
json_t *address_normalize(const char *text);
bool address_is_valid(const char *text);
/* "02-42-AC-.." -> "02:42:ac:..". New reference. */
json_t *mac_normalize(const char *text);

/* container_links.c */
extern const struct schema container_link_schema;
extern const struct schema container_external_link_schema;
extern const struct schema container_volumes_from_schema;
extern const struct codec codec_links;
extern const struct codec codec_volumes_from;

/* container_gpus.c */
extern const struct value_type type_gpus;
extern const struct schema container_device_request_schema;
extern const struct codec codec_gpus;
/* Says what silence means: every device, and of GPUs one that can compute. In place. */
void gpus_normalize(json_t *requests);

/* container_resources.c */
extern const struct value_type type_microseconds;
extern const struct schema container_ulimit_schema;
extern const struct schema container_device_schema;
extern const struct schema container_blkio_schema;
extern const struct codec codec_limit; /* null, 0 and -1 are silence */
extern const struct codec codec_swappiness;
extern const struct codec codec_ulimits;

/* container_update.c */
extern const struct schema container_update_schema;

/* container_health.c */
extern const struct value_type type_health_test;
extern const struct schema container_health_schema;
extern const struct schema container_logging_schema;
extern const struct codec codec_health;

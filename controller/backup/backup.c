/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/backup/backup.h"

#include "controller/backup/archive.h"
#include "controller/backup/helper.h"
#include "controller/backup/listing.h"
#include "controller/backup/store.h"
#include "controller/backup/users.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/volume.h"

#include <string.h>
#include <unistd.h>

enum { RECORD_FORMAT = 1, PROGRESS_EVERY = 1024 * 1024 };

static struct store_place place_of(const struct manifest_set *set, const struct resource *backup,
				   const char *host, const char *volume)
{
	return (struct store_place){
		.dir = resource_string(backup, "directory"),
		.project = set_project(set),
		.host = host,
		.volume = volume,
	};
}

json_t *backup_records(const struct manifest_set *set, const struct resource *backup,
		       const char *host, const char *volume, size_t *ret_damaged)
{
	struct store_place place = place_of(set, backup, host, volume);

	return store_list(&place, ret_damaged);
}

static enum quiesce quiesce_of(const struct resource *backup)
{
	const char *how = resource_string(backup, "while");

	if (str_eq(how, "running"))
		return QUIESCE_NONE;
	return str_eq(how, "paused") ? QUIESCE_PAUSE : QUIESCE_STOP;
}

/* One backup on its way. */
struct job {
	struct pass *pass;
	const struct resource *backup;
	const char *volume;	   /* the resource's name */
	const char *engine_volume; /* the engine's */
	struct store_place place;
	const char *id;
	struct arena *arena;
	struct archive_writer *writer;
	int64_t bytes, reported;
	struct users users;
	struct archive_info info;
	struct listing listing;
};

static int save_chunk(void *ctx, const char *data, size_t len, struct error *err)
{
	struct job *job = ctx;
	struct pass *pass = job->pass;

	if (pass->hooks.cancelled && pass->hooks.cancelled(pass->hooks.ctx))
		return error_set(err, ERROR_CANCELLED, "interrupted");
	job->bytes += (int64_t)len;
	if (pass->hooks.progress && job->bytes - job->reported >= PROGRESS_EVERY) {
		struct progress progress = {
			.kind = PROGRESS_BYTES,
			.host = pass->desired->host->name,
			.resource = arena_printf(job->arena, "Volume/%s", job->volume),
			.text = "back up",
			.current = job->bytes,
		};

		job->reported = job->bytes;
		pass->hooks.progress(pass->hooks.ctx, &progress);
	}
	return archive_write(job->writer, data, len, err);
}

static int stream(struct job *job, struct helper *helper, struct error *err)
{
	const char *path = store_path(job->arena, &job->place, job->id, ".tar.zst");
	int rc = archive_create(path, &job->writer, err);

	if (rc == 0)
		rc = helper_read(helper, save_chunk, job, err);
	if (rc == 0)
		rc = archive_commit(TAKE(job->writer), &job->info, err);
	archive_abort(TAKE(job->writer));
	if (rc == 0 && !job->info.ended) {
		unlink(path);
		return error_set(
			err, ERROR_REMOTE,
			"the engine's tar stream stopped before its end; nothing was kept");
	}
	return rc;
}

/* Users are still for as long as the stream takes, and set going whether it went well or not. */
static int stream_held(struct job *job, struct helper *helper, struct error *err)
{
	struct error releasing = ERROR_INIT;

	if (users_find(job->pass, job->engine_volume, &job->users, err) < 0 ||
	    users_hold(job->pass, &job->users, quiesce_of(job->backup), err) < 0)
		return -1;
	int rc = stream(job, helper, err);
	if (rc == 0)
		rc = users_check_still(job->pass, job->engine_volume, &job->users, err);
	if (users_release(job->pass, &job->users, &releasing) < 0) {
		if (rc == 0)
			*err = releasing;
		else
			error_hint(err, "and then: %s", releasing.text);
		rc = -1;
	}
	return rc;
}

/* The helper is made first: where there is no room for it nobody need be stopped, which on a full
 * disk may be for good. */
static int stream_quietly(struct job *job, struct error *err)
{
	json_t *labels = json_pack("{s:s}", LABEL_PROJECT, job->pass->project);
	struct helper_options options = {
		.name = arena_printf(job->arena, "drey-backup-%s", job->engine_volume),
		.volume = job->engine_volume,
		.read_only = true,
		.labels = labels,
	};
	struct error closing = ERROR_INIT;
	struct helper *helper;

	int rc = helper_open(job->pass->engine, &options, &helper, err);
	json_decref(labels);
	if (rc < 0)
		return -1;
	rc = stream_held(job, helper, err);
	/* A helper that stays is no reason to give a whole backup up: the next run removes it. */
	if (helper_close(helper, &closing) < 0)
		log_debug(job->pass->log, "%s", closing.text);
	return rc;
}

static ssize_t read_archive(void *ctx, void *buf, size_t room, struct error *err)
{
	return archive_read(ctx, buf, room, err);
}

static int list_archive(const char *path, struct listing *ret_listing, struct error *err)
{
	struct archive_reader *reader;

	if (archive_open(path, &reader, err) < 0)
		return -1;
	int rc = listing_read(read_archive, reader, ret_listing, err);
	archive_close(reader);
	return rc < 0 ? error_wrap(err, "%s", path) : 0;
}

/* Reads back what lies on the disk: its digest, and each file in it. */
static int verify(struct job *job, struct error *err)
{
	const char *path = store_path(job->arena, &job->place, job->id, ".tar.zst");
	char digest[SHA256_HEX];

	if (archive_digest(path, digest, err) < 0)
		return -1;
	if (strcmp(digest, job->info.sha256) != 0)
		return error_set(err, ERROR_SYSTEM,
				 "%s reads back with another SHA-256 than it was written with; "
				 "check the disk",
				 path);
	if (list_archive(path, &job->listing, err) < 0)
		return -1;
	return listing_save(&job->listing,
			    store_path(job->arena, &job->place, job->id, ".files.jsonl"), err);
}

static json_t *record_of(const struct job *job)
{
	const char *how = resource_string(job->backup, "while");
	json_t *record = json_pack(
		"{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:I, s:I, s:I, s:I, s:I}",
		"format", RECORD_FORMAT, "id", job->id, "project", job->place.project, "host",
		job->place.host, "volume", job->volume, "engine_volume", job->engine_volume,
		"backup", job->backup->name, "while", how, "users", users_names(&job->users),
		"archive", arena_printf(job->arena, "%s.tar.zst", job->id), "sha256",
		job->info.sha256, "stored_bytes", (json_int_t)job->info.stored_bytes, "tar_bytes",
		(json_int_t)job->info.plain_bytes, "entries", (json_int_t)job->listing.count,
		"files", (json_int_t)job->listing.files, "file_bytes",
		(json_int_t)job->listing.bytes);
	json_t *verified = json_pack("[s, s]", "the archive was read back and its SHA-256 is right",
				     "every file in it was read and has its SHA-256 in the list");
	json_t *not_verified = json_pack(
		"[s, s]",
		"that the engine could read every file of the volume: it leaves out what it can't "
		"read and does not tell",
		"extended attributes and ACLs: the engine's stream carries security.capability "
		"only");

	if (str_eq(how, "running") && job->users.count > 0)
		json_array_append_new(not_verified,
				      json_string("that the files fit together: they may have been "
						  "written while they were copied"));
	if (str_eq(how, "paused") && job->users.count > 0)
		json_array_append_new(
			not_verified,
			json_string("what the users held in memory: they were paused, "
				    "not stopped"));
	json_object_set_new(record, "time", json_string(store_time(job->arena, job->id)));
	json_object_set_new(record, "verified", verified);
	json_object_set_new(record, "not_verified", not_verified);
	return record;
}

static int run_job(struct job *job, json_t **ret_record, struct error *err)
{
	CLEANUP(cleanup_close) int lock = -1;

	if (store_lock(&job->place, &lock, err) < 0)
		return -1;
	store_sweep(&job->place);
	if (stream_quietly(job, err) < 0 || verify(job, err) < 0)
		return -1;
	json_t *record = record_of(job);
	if (store_put(&job->place, job->id, record, err) < 0) {
		json_decref(record);
		return -1;
	}
	store_sweep_older(&job->place, job->id);
	*ret_record = record;
	return 0;
}

int backup_volume(struct pass *pass, const struct resource *backup, const char *volume,
		  const char *engine_volume, json_t **ret_record, struct error *err)
{
	CLEANUP(cleanup_arena) struct arena *arena = arena_new();
	struct job job = {
		.pass = pass,
		.backup = backup,
		.volume = volume,
		.engine_volume = engine_volume ? engine_volume : volume_engine_name(pass, volume),
		.place = place_of(pass->set, backup, pass->desired->host->name, volume),
		.id = store_new_id(arena),
		.arena = arena,
	};
	int rc = run_job(&job, ret_record, err);

	if (rc < 0) {
		/* Without a record it is no backup: nothing of it stays to look like one. */
		unlink(store_path(arena, &job.place, job.id, ".tar.zst"));
		unlink(store_path(arena, &job.place, job.id, ".files.jsonl"));
		error_wrap(err, "back up Volume/%s@%s", volume, pass->desired->host->name);
	}
	users_done(&job.users);
	listing_done(&job.listing);
	return rc;
}

static int back_up_one(void *ctx, struct pass *pass, const char *volume, const char *engine_volume,
		       struct error *err)
{
	const struct backup_sink *sink = ctx;
	json_t *record;

	if (backup_volume(pass, backup_of_volume(pass->set, volume), volume, engine_volume, &record,
			  err) < 0)
		return -1;
	if (sink && sink->recorded)
		sink->recorded(sink->ctx, record);
	json_decref(record);
	return 0;
}

int backup_before_change(void *ctx, struct pass *pass, const struct resource *resource,
			 const struct object *object, struct error *err)
{
	const json_t *mount;
	size_t i;

	if (backup_require(pass, resource, object, err) < 0)
		return -1;
	if (strcmp(resource->kind->name, "Volume") == 0)
		return back_up_one(ctx, pass, resource->name, object->engine_name, err);
	json_array_foreach (json_object_get(object->inspect, "Mounts"), i, mount) {
		const char *engine_volume = json_string_value(json_object_get(mount, "Name"));

		if (engine_volume &&
		    str_eq(json_string_value(json_object_get(mount, "Type")), "volume") &&
		    !backup_is_kept(pass, engine_volume) &&
		    back_up_one(ctx, pass, backup_volume_name(pass, engine_volume), engine_volume,
				err) < 0)
			return -1;
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "manifests/sources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"

enum {
	SECRET_MAX = 64 * 1024, /* in a text; a file that is put somewhere may be larger */
	HIDDEN_MIN = 4,		/* what is shorter is found everywhere and would hide the message */
};

/* A Secret that something has asked for. */
struct secret_value {
	struct document *document;
	const char *data; /* as it is in its file; NULL: it has none, diagnosed */
	size_t len;
	const char *text;	 /* without the line break at its end; NULL: it is no text */
	const struct node *node; /* stands for references to it */
	bool is_asked;		 /* whether it can is known */
};

struct sources {
	const struct node *env;	      /* names that may be read; NULL: none */
	const struct node *variables; /* NULL: none */
	VEC(struct secret_value) secrets;
};

static void release_sources(void *ptr)
{
	struct sources *sources = ptr;

	vec_done(&sources->secrets);
}

const char *sources_getenv(const struct load *load, const char *name)
{
	const struct manifest_options *options = load->options;

	return options->getenv ? options->getenv(options->getenv_ctx, name) : getenv(name);
}

/* The entry of Project.spec.env that allows the name; NULL: none does. */
static const struct node *allowed(const struct node *env, const char *name)
{
	if (env && env->type == NODE_SCALAR && strcmp(env->text, name) == 0)
		return env;
	for (size_t i = 0; env && env->type == NODE_SEQUENCE && i < env->count; i++)
		if (env->values[i]->type == NODE_SCALAR && strcmp(env->values[i]->text, name) == 0)
			return env->values[i];
	return NULL;
}

static const struct node *text_node(struct load *load, const struct node *origin, const char *text)
{
	struct node *node = arena_new_of(load->arena, struct node);

	*node = (struct node){
		.type = NODE_SCALAR,
		.place = *node_origin(origin),
		.text = text,
		.size = 1,
		.height = 1,
	};
	return node;
}

static enum lookup look_up_environment(struct resolver *resolver, const char *name,
				       const struct node *at, const struct node **ret_value)
{
	struct load *load = resolver->load;
	const struct node *entry = allowed(load->sources->env, name);

	if (!entry) {
		if (load->project || !load_may_lack(load, "Project"))
			load_fault(load, at,
				   "'${env.%s}': the Project does not list '%s' in spec.env; only "
				   "variables listed there are read from the environment",
				   name, name);
		return LOOKUP_FAILED;
	}
	const char *value = sources_getenv(load, name);
	if (!value)
		return LOOKUP_UNDEFINED;
	if (!str_is_utf8(value, strlen(value))) {
		load_fault(load, at, "'${env.%s}': its value is not UTF-8", name);
		return LOOKUP_FAILED;
	}
	struct node *node = (struct node *)text_node(load, entry, arena_strdup(load->arena, value));
	node->quoted = node_is_null(node); /* the environment knows texts, not nothing */
	*ret_value = node;
	return LOOKUP_FOUND;
}

/* A value from the environment, where the Project allows it; NULL after a diagnosis. */
const char *sources_environment(struct load *load, const struct document *document,
				const struct node *at, const char *name)
{
	const char *kind = document->kind->name;

	if (!allowed(load->sources->env, name)) {
		load_fault(load, at,
			   "%s %s: the Project does not list '%s' in spec.env; only variables "
			   "listed there are read from the environment",
			   kind, document->name, name);
		return NULL;
	}
	const char *value = sources_getenv(load, name);
	if (!value) {
		load_fault(load, at, "%s %s: the environment variable %s is not set", kind,
			   document->name, name);
		return NULL;
	}
	if (str_is_utf8(value, strlen(value)))
		return arena_strdup(load->arena, value);
	load_fault(load, at, "%s %s: the value of %s is not UTF-8", kind, document->name, name);
	return NULL;
}

static void read_secret_file(struct load *load, const struct node *at, const char *path,
			     struct secret_value *value)
{
	const char *name = value->document->name;
	struct error err = ERROR_INIT;
	struct stat st;
	char *data;

	if (io_read_file(path, CONTENT_MAX, &data, &value->len, &err) < 0) {
		load_fault(load, at, "Secret %s: %s", name, err.text);
		return;
	}
	if (stat(path, &st) == 0 && (st.st_mode & (S_IRWXG | S_IRWXO)))
		load_warn(load, at, "Secret %s: others may read %s; chmod 600 keeps it secret",
			  name, path);
	char *copy = arena_alloc(load->arena, value->len + 1);
	memcpy(copy, data, value->len);
	value->data = copy;
	explicit_bzero(data, value->len);
	free(data);
}

/* Without the one line break that editors leave at the end of a file. */
static const char *text_of(struct load *load, const char *data, size_t len)
{
	if (!str_is_utf8(data, len))
		return NULL;
	if (len && data[len - 1] == '\n')
		len--;
	if (len && data[len - 1] == '\r')
		len--;
	return arena_strndup(load->arena, data, len);
}

static const struct node *secret_place(const struct document *document, const char *key)
{
	return node_get(node_get(document->node, "spec"), key);
}

static void read_secret(struct load *load, struct secret_value *value)
{
	const struct body *body = decode_document(load, value->document, -1);
	const char *file = json_string_value(json_object_get(body->spec, "file"));
	const char *env = json_string_value(json_object_get(body->spec, "env"));
	const struct node *at = secret_place(value->document, file ? "file" : "env");

	if (!body->good || !at)
		return;
	if (file) {
		read_secret_file(load, at, file, value);
	} else if (env) {
		value->data = sources_environment(load, value->document, at, env);
		value->len = value->data ? strlen(value->data) : 0;
	}
	if (value->data)
		value->text = text_of(load, value->data, value->len);
}

/* Read once, when it is asked for first. */
static struct secret_value *find_secret(struct load *load, struct document *document)
{
	struct sources *sources = load->sources;
	struct secret_value value = { .document = document };

	VEC_FOREACH (struct secret_value *, known, &sources->secrets) {
		if (known->document == document)
			return known;
	}
	read_secret(load, &value);
	vec_push(&sources->secrets, value);
	return &sources->secrets.items[sources->secrets.count - 1];
}

bool sources_secret(struct load *load, struct document *document, const char **ret_data,
		    size_t *ret_len)
{
	const struct secret_value *value = find_secret(load, document);

	if (!value->data)
		return false;
	*ret_data = value->data;
	*ret_len = value->len;
	return true;
}

/* What references to it stand for; NULL after a diagnosis. */
static const struct node *secret_node(struct load *load, struct secret_value *value)
{
	const struct document *document = value->document;
	const char *file = json_string_value(json_object_get(document->shared->spec, "file"));
	const struct node *at = secret_place(document, file ? "file" : "env");

	if (!value->data || value->is_asked)
		return value->node;
	value->is_asked = true;
	if (!value->text || strlen(value->text) > SECRET_MAX) {
		load_fault(load, at,
			   value->text ? "Secret %s: %s is larger than %d KiB, and can't stand in "
					 "a text"
				       : "Secret %s: %s is not UTF-8 text",
			   document->name, file, SECRET_MAX / 1024);
		return NULL;
	}
	struct node *node = (struct node *)text_node(load, at, value->text);
	node->quoted = true;
	node->secret = true;
	value->node = node;
	return node;
}

static enum lookup look_up_secret(struct resolver *resolver, const char *name,
				  const struct node *at, const struct node **ret_value)
{
	struct load *load = resolver->load;
	struct document *document = load_find(load, "Secret", name);

	if (!document) {
		if (!load_may_lack(load, "Secret"))
			load_fault(load, at, "'${secret.%s}': there is no Secret '%s'%s", name,
				   name, load_nearest(load, "Secret", name));
		return LOOKUP_FAILED;
	}
	*ret_value = secret_node(load, find_secret(load, document));
	return *ret_value ? LOOKUP_FOUND : LOOKUP_FAILED;
}

static void mark_value(const char *text, const char *value, bool *hidden)
{
	size_t len = strlen(value);

	if (len < HIDDEN_MIN)
		return;
	for (const char *at = text; (at = strstr(at, value)); at++)
		memset(&hidden[at - text], true, len);
}

void sources_hide_secrets(const struct sources *sources, char *text)
{
	size_t len = strlen(text);
	/* One secret may hold another: marked all first, blotted out then. */
	CLEANUP(cleanup_free) bool *hidden = xcalloc(len + 1, sizeof(*hidden));

	VEC_FOREACH (const struct secret_value *, value, &sources->secrets) {
		if (value->text)
			mark_value(text, value->text, hidden);
	}
	for (size_t i = 0; i < len; i++)
		if (hidden[i])
			text[i] = '*';
}

/* A member, or a member of a member: "db.port". Keys may hold dots themselves. */
static const struct node *variable(const struct node *variables, const char *name)
{
	const struct node *value = node_get(variables, name);

	for (const char *dot = strchr(name, '.'); !value && dot; dot = strchr(dot + 1, '.')) {
		CLEANUP(cleanup_free) char *head = xstrndup(name, (size_t)(dot - name));
		value = variable(node_get(variables, head), dot + 1);
	}
	return value;
}

static enum lookup look_up_host(struct resolver *resolver, const char *name, const struct node *at,
				const struct node **ret_value)
{
	struct load *load = resolver->load;

	if (strcmp(name, "name") == 0) {
		if (!resolver->host) {
			load_fault(load, at, "'${host.name}': this belongs to no single host");
			return LOOKUP_FAILED;
		}
		resolver->used_host = true;
		struct node *node = (struct node *)text_node(
			load, at, arena_strdup(load->arena, resolver->host));
		node->quoted = true;
		node->place = (struct place){ 0 }; /* it was written nowhere else */
		*ret_value = node;
		return LOOKUP_FOUND;
	}
	if (!str_has_prefix(name, "vars.")) {
		load_fault(load, at,
			   "'${host.%s}': of a host there are ${host.name} and ${host.vars.X}",
			   name);
		return LOOKUP_FAILED;
	}
	name += strlen("vars.");
	resolver->used_host = true;
	*ret_value = variable(resolver->host_vars, name);
	if (!*ret_value)
		*ret_value = variable(load->sources->variables, name);
	return *ret_value ? LOOKUP_FOUND : LOOKUP_UNDEFINED;
}

static enum lookup look_up(void *ctx, const char *name, const struct node *at,
			   const struct node **ret_value)
{
	struct resolver *resolver = ctx;
	unsigned sources = resolver->sources;

	if (str_has_prefix(name, "env.") && (sources & SOURCE_ENVIRONMENT))
		return look_up_environment(resolver, name + strlen("env."), at, ret_value);
	if (str_has_prefix(name, "secret.") && (sources & SOURCE_SECRETS))
		return look_up_secret(resolver, name + strlen("secret."), at, ret_value);
	if (str_has_prefix(name, "host.") && (sources & SOURCE_VARIABLES))
		return look_up_host(resolver, name + strlen("host."), at, ret_value);
	if (sources != SOURCE_ALL)
		load_fault(resolver->load, at, "'${%s}' cannot be used here; expected %s%s", name,
			   "${env.X}", sources & SOURCE_SECRETS ? " or ${secret.NAME}" : "");
	else
		load_fault(resolver->load, at,
			   "'${%s}' is unknown; expected ${host.name}, ${host.vars.X}, "
			   "${secret.NAME} or ${env.X}, and '$${' for a plain '${'",
			   name);
	return LOOKUP_FAILED;
}

static const char *nearest_variable(const struct resolver *resolver, const char *name)
{
	const struct node *maps[] = { resolver->host_vars, resolver->load->sources->variables };
	VEC(const char *) names = { 0 };

	for (size_t m = 0; m < ARRAY_SIZE(maps); m++)
		for (size_t i = 0; maps[m] && i < maps[m]->count; i++)
			if (maps[m]->type == NODE_MAPPING)
				vec_push(&names, maps[m]->keys[i]->text);
	const char *nearest = str_nearest(name, names.items, names.count);
	vec_done(&names);
	return nearest ? arena_printf(resolver->load->arena, "; did you mean '%s'?", nearest) : "";
}

static void undefined(void *ctx, const char *name, const struct node *at)
{
	const struct resolver *resolver = ctx;
	struct load *load = resolver->load;
	const char *variable_name = name + strlen("host.vars.");

	if (load->lacks_anything)
		return;
	if (str_has_prefix(name, "env."))
		load_fault(load, at,
			   "'${%s}': the environment variable %s is not set; set it, or give a "
			   "default: ${%s:-...}",
			   name, name + strlen("env."), name);
	else if (resolver->host)
		load_fault(load, at,
			   "'${%s}' is not defined for host '%s': neither its vars nor the "
			   "Project's variables have '%s'%s",
			   name, resolver->host, variable_name,
			   nearest_variable(resolver, variable_name));
	else
		load_fault(
			load, at,
			"'${%s}' is not defined: the Project's variables have no '%s', and there "
			"is no single host here%s",
			name, variable_name, nearest_variable(resolver, variable_name));
}

const struct node *resolve(struct resolver *resolver, const struct node *node)
{
	const struct interpolation in = {
		.arena = resolver->load->arena,
		.diagnostics = resolver->load->diagnostics,
		.budget = &resolver->load->budget,
		.lookup = look_up,
		.undefined = undefined,
		.ctx = resolver,
	};

	return interpolate(&in, node);
}

void sources_init(struct load *load)
{
	struct sources *sources = arena_new_of(load->arena, struct sources);
	struct resolver resolver = {
		.load = load,
		.sources = SOURCE_ENVIRONMENT | SOURCE_SECRETS,
	};

	arena_defer(load->arena, release_sources, sources);
	load->sources = sources;
	if (!load->project)
		return;
	const struct node *spec = node_get(load->project->node, "spec");
	const struct node *variables = node_get(spec, "variables");
	sources->env = node_get(spec, "env");
	if (variables)
		sources->variables = resolve(&resolver, variables);
}

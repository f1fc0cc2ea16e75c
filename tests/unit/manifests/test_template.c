/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/manifests/loaded.h"

#define DOCUMENT "---\napiVersion: drey/v1\n"

static const char web_app[] =
	DOCUMENT "kind: Template\n"
		 "metadata: { name: web-app }\n"
		 "spec:\n"
		 "  parameters:\n"
		 "    image: { required: true }\n"
		 "    port: { type: int, default: 80 }\n"
		 "    title: { default: \"${release}-title\" }\n"
		 "    env: { type: any, default: {} }\n"
		 "    token: { type: secret, default: SIGTERM }\n"
		 "  resources:\n"
		 "    - kind: Container\n"
		 "      metadata: { name: \"${release}\" }\n"
		 "      spec:\n"
		 "        image: \"${image}:${host.vars.tag:-none}\"\n"
		 "        hostname: \"${host.name}\"\n"
		 "        ports: [\"${port}:80\"]\n"
		 "        environment: \"${env}\"\n"
		 "        labels: { title: \"${title}\", cost: \"5$$\", raw: \"$${x}\" }\n"
		 "        stop_signal: \"${token}\"\n"
		 "        volumes: [\"${release}-data:/data\"]\n"
		 "    - kind: Volume\n"
		 "      metadata: { name: \"${release}-data\" }\n";

static struct loaded loaded;

static void teardown(void)
{
	loaded_done(&loaded);
}

TestSuite(template, .fini = teardown);

static void load(const char *documents)
{
	char *text = xasprintf("%s%s", web_app, documents);

	loaded_good(&loaded, text);
	free(text);
}

static const char *at(const struct resource *resource, const char *row, const char *member)
{
	const json_t *value = resource_get(resource, row);

	return json_string_value(member ? json_object_get(value, member) : value);
}

Test(template, parameters_come_first_and_other_references_later)
{
	load(DOCUMENT "kind: Release\nmetadata: { name: shop }\nspec:\n  template: web-app\n"
		      "  values:\n"
		      "    image: reg/shop\n"
		      "    env: { WHERE: \"${host.name}\", PRICE: \"5$$\" }\n");
	const struct resource *web = loaded_find(&loaded, "local", "Container", "shop");
	cr_assert(web);
	cr_expect_str_eq(at(web, "image", NULL), "reg/shop:none");
	cr_expect_str_eq(at(web, "hostname", NULL), "local");
	cr_expect_str_eq(at(web, "environment", "WHERE"), "local");
	cr_expect_str_eq(at(web, "environment", "PRICE"), "5$");
	cr_expect_str_eq(at(web, "labels", "title"), "shop-title");
	cr_expect_str_eq(at(web, "labels", "cost"), "5$");
	cr_expect_str_eq(at(web, "labels", "raw"), "${x}");
	cr_expect(loaded_find(&loaded, "local", "Volume", "shop-data"));
	cr_expect(set_find(loaded.set, "Release", "shop"));
}

Test(template, a_secret_parameter_is_masked)
{
	load(DOCUMENT "kind: Release\nmetadata: { name: shop }\n"
		      "spec: { template: web-app, values: { image: x, token: SIGUSR1 } }\n");
	const struct resource *web = loaded_find(&loaded, "local", "Container", "shop");

	cr_expect_str_eq(at(web, "stop_signal", NULL), "SIGUSR1");
	cr_expect(resource_is_secret(web, "stop_signal", NULL));
	cr_expect_not(resource_is_secret(web, "image", NULL));
}

Test(template, releases_nest)
{
	load(DOCUMENT
	     "kind: Template\nmetadata: { name: pair }\nspec:\n"
	     "  parameters: { image: {} }\n"
	     "  resources:\n"
	     "    - kind: Release\n"
	     "      metadata: { name: \"${release}-a\" }\n"
	     "      spec: { template: web-app, values: { image: \"${image}\", port: 81 } }\n"
	     "    - kind: Release\n"
	     "      metadata: { name: \"${release}-b\" }\n"
	     "      spec: { template: web-app, values: { image: \"${image}-b\", port: 82 } }\n"
	     "---\napiVersion: drey/v1\nkind: Release\nmetadata: { name: two }\n"
	     "spec: { template: pair, values: { image: img } }\n");
	const struct resource *b = loaded_find(&loaded, "local", "Container", "two-b");
	cr_assert(b);
	cr_expect_str_eq(at(b, "image", NULL), "img-b:none");
	cr_expect_str_eq(at(b, "labels", "title"), "two-b-title");
	cr_expect(loaded_find(&loaded, "local", "Volume", "two-a-data"));
}

Test(template, hosts_of_a_release_are_inherited)
{
	load(DOCUMENT
	     "kind: Project\nmetadata: { name: p }\n" DOCUMENT
	     "kind: Host\nmetadata: { name: h1 }\nspec: { address: \"ssh://h1\" }\n" DOCUMENT
	     "kind: Host\nmetadata: { name: h2 }\nspec: { address: \"ssh://h2\" }\n" DOCUMENT
	     "kind: Release\nmetadata: { name: shop }\n"
	     "spec: { template: web-app, values: { image: x }, hosts: [h2] }\n");
	cr_expect_null(loaded_find(&loaded, "h1", "Container", "shop"));
	cr_expect(loaded_find(&loaded, "h2", "Container", "shop"));
	cr_expect(loaded_find(&loaded, "h2", "Volume", "shop-data"));
	cr_expect_null(loaded_find(&loaded, "h1", "Volume", "shop-data"));
}

/* Each level makes ten Releases of the next: 10^7 Volumes, were they made. */
Test(template, a_bomb_of_releases_is_counted)
{
	struct str text;

	str_init(&text, 0);
	for (int level = 0; level < 8; level++) {
		str_printf(&text,
			   DOCUMENT
			   "kind: Template\nmetadata: { name: t%d }\nspec:\n  resources:\n",
			   level);
		for (int i = 0; i < 10; i++) {
			if (level < 7)
				str_printf(&text,
					   "    - kind: Release\n"
					   "      metadata: { name: \"${release}%d\" }\n"
					   "      spec: { template: t%d }\n",
					   i, level + 1);
			else
				str_printf(&text,
					   "    - kind: Volume\n"
					   "      metadata: { name: \"${release}%d\" }\n",
					   i);
		}
	}
	str_append(&text,
		   DOCUMENT "kind: Release\nmetadata: { name: r }\nspec: { template: t0 }\n");
	loaded_init(&loaded, NULL, text.data);
	cr_expect_null(loaded.set);
	bool found = false;
	for (size_t i = 0; i < loaded.diagnostics.list.count; i++)
		found |= strstr(loaded.diagnostics.list.items[i].text, "Releases make more than") !=
			 NULL;
	cr_expect(found, "%s", loaded_fault(&loaded));
	str_done(&text);
}

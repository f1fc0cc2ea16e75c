/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an adopted container has written into its own file system. */
#include <criterion/criterion.h>

#include "tests/unit/reconcilers/pass_fixture.h"

TestSuite(container_layer, .init = pass_setup, .fini = pass_teardown);

Test(container_layer, mount_points_are_no_changes_of_a_container)
{
	struct object *object;

	pass_manifests(
		"apiVersion: drey/v1\nkind: Container\nmetadata: { name: mounts, adopt: true }\n"
		"spec: { image: rich:1 }\n");
	object = pass_has_container(pass_data("engine-20.10/container-mounts"), NULL);
	cr_expect(!container_layer_changed(
		object, pass_json("[{'Path': '/var', 'Kind': 0}, {'Path': '/var/lib', 'Kind': 0},"
				  "{'Path': '/var/lib/web', 'Kind': 1}, {'Path': '/srv', 'Kind': "
				  "1}, {'Path': '/sbin/docker-init', 'Kind': 1}]")));
	cr_expect(container_layer_changed(object, pass_json("[{'Path': '/srv/x', 'Kind': 1}]")));
	cr_expect(container_layer_changed(object, pass_json("[{'Path': '/va', 'Kind': 1}]")));
	cr_expect(!container_layer_changed(object, NULL));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the process' memory grows: malloc(3)'s settings, and its pages ahead of their use. */
#pragma once

/*
 * One heap for all threads: each thread's own would keep what its host's answers took. What is
 * freed stays for the next answer; the controller gives it back when it has nothing to do. To be
 * called first.
 */
void heap_set_up(void);

/* Asks for the pages that a host of a hundred containers needs, in one call: it costs a millisecond
 * or two, and one by one, by faults, up to 20 times that on a virtual machine. For who waits. */
void heap_populate(void);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What systemd wants to hear of a service: sd_notify(3), by datagrams to $NOTIFY_SOCKET. Without
 * that variable nothing is sent. */
#pragma once

#include <stdint.h>

/* "READY=1", "STATUS=…\n…": as many NAME=VALUE lines as wanted. What can't be sent is lost. */
void notify_send(const char *lines);

/* Half of what $WATCHDOG_USEC allows between two "WATCHDOG=1"; -1: none are wanted. */
int64_t notify_watchdog_ms(void);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Settings of the kernel's network stack below /proc/sys/net, named by their path there, such as
 * "ipv4/conf/berthbr0/forwarding". Names are resolved beneath /proc/sys/net only, so that an
 * interface's name can never lead elsewhere.
 */

/* Reads a number. */
int sysctl_read(const char *name, long *ret);
/* Writes it unless it stands there already, so that a read-only /proc/sys is no obstacle to a host
 * that is set up as wanted. */
int sysctl_write(const char *name, long value);

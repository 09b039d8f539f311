/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the values of configuration keys may be. Each kind of value has one reading: what a check
 * lets pass, the reader of that kind understands, and in one way only. Nothing is trimmed and
 * nothing guessed: "0 ", "" and " true" are no booleans. A check says what is wrong and what is
 * right, without the key's name, which the caller knows.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <glib.h>

#include "service/util/error.h"

/* --- readers --- */

/* "true", "1", "yes", "on" and their opposites, in any case. */
int config_parse_boolean(const char *value, bool *ret);
/* A decimal number without sign, blanks or more digits than it needs, within [min, max]. */
int config_parse_integer(const char *value, uint64_t min, uint64_t max, uint64_t *ret);
/* "50%": *ret_size is what it stands for of `whole`; or a size (see size.h). */
int config_parse_share(const char *value, uint64_t whole, uint64_t *ret_size, Error *ret_error);

typedef struct CpuAllowance {
        unsigned percent;           /* 0 where it is a time */
        unsigned quota_ms, period_ms;
} CpuAllowance;

/* "50%" or "25ms/100ms". */
int config_parse_allowance(const char *value, CpuAllowance *ret);

/* A number of CPUs (*ret_set NULL, *ret_count), or a set of them: "1,3", "0-3,7-11", "1-1"
 * (*ret_set: guint elements, sorted, each once). */
int config_parse_cpus(const char *value, unsigned *ret_count, GArray **ret_set);

/* The text of raw.lxc in the words of today's liblxc, each line "lxc.key = value". Refuses what is
 * no such line, keys that liblxc does not know, and those that the service itself depends on.
 * `ret` may be NULL. */
int config_parse_raw_lxc(const char *value, char **ret, Error *ret_error);
/* What tells the init to shut down, if raw.lxc says it. */
int config_get_halt_signal(GVariant *config, int fallback);

/* --- checks: for the table of keys --- */

int config_check_text(const char *value, Error *ret_error);
int config_check_line(const char *value, Error *ret_error);
int config_check_boolean(const char *value, Error *ret_error);
int config_check_compression(const char *value, Error *ret_error);
/* URL of a proxy, without a user or password: everybody may read it. */
int config_check_proxy(const char *value, Error *ret_error);
int config_check_proxy_exceptions(const char *value, Error *ret_error);
int config_check_size(const char *value, Error *ret_error);
int config_check_integer(const char *value, Error *ret_error);
int config_check_id(const char *value, Error *ret_error);
int config_check_id_count(const char *value, Error *ret_error);
int config_check_positive(const char *value, Error *ret_error);
int config_check_priority(const char *value, Error *ret_error); /* 0 to 10 */
int config_check_number(const char *value, Error *ret_error);   /* may be negative */
int config_check_mtu(const char *value, Error *ret_error);
int config_check_source(const char *value, Error *ret_error);
int config_check_group(const char *value, Error *ret_error);
int config_check_true(const char *value, Error *ret_error);
int config_check_block_filesystem(const char *value, Error *ret_error);
int config_check_block_options(const char *value, Error *ret_error);
int config_check_cpus(const char *value, Error *ret_error);
int config_check_allowance(const char *value, Error *ret_error);
int config_check_memory(const char *value, Error *ret_error);
int config_check_swap(const char *value, Error *ret_error);
int config_check_enforce(const char *value, Error *ret_error);
int config_check_rlimit(const char *value, Error *ret_error);
int config_check_containers(const char *value, Error *ret_error);
int config_check_modules(const char *value, Error *ret_error);
int config_check_schedule(const char *value, Error *ret_error);
int config_check_expiry(const char *value, Error *ret_error);
int config_check_pattern(const char *value, Error *ret_error);
int config_check_raw_lxc(const char *value, Error *ret_error);
int config_check_seccomp(const char *value, Error *ret_error);
int config_check_syscalls(const char *value, Error *ret_error);

/* What stands for the "*" of a key. */
int config_check_variable(const char *name, Error *ret_error);
int config_check_rlimit_name(const char *name, Error *ret_error);
int config_check_sysctl_name(const char *name, Error *ret_error);

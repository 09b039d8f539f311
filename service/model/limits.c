/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/limits.h"

#include <string.h>

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/size.h"
#include "service/util/cleanup.h"

enum { TOPIC_CPUSET, TOPIC_SHARES, TOPIC_QUOTA, TOPIC_MEMORY, TOPIC_SWAPPINESS, TOPIC_PROCESSES,
       TOPIC_DISK, TOPIC_HUGEPAGES };

static void limit_free(void *p) {
        Limit *limit = p;

        g_free(limit->value);
        g_free(limit);
}

static void add(GPtrArray *list, unsigned topic, const char *key, const char *controller,
                const char *files, LimitFlags flags, char *value) {
        Limit *limit = g_new(Limit, 1);

        *limit = (Limit) { key, controller, files, value, topic, flags };
        g_ptr_array_add(list, limit);
}

static char *number(uint64_t n) {
        return g_strdup_printf("%" G_GUINT64_FORMAT, n);
}

static LimitFlags unset_unless(bool set) {
        return set ? 0 : LIMIT_UNSET;
}

/* --- CPU --- */

static void add_cpu(GPtrArray *list, GVariant *config, CgroupVersion version) {
        const char *text = config_get(config, "limits.cpu.allowance");
        unsigned lower = 10 - (unsigned) config_get_integer(config, "limits.cpu.priority");
        CpuAllowance allowance = { .percent = 100 };
        uint64_t shares;
        bool timed, lowered = lower > 0;

        if (text && config_parse_allowance(text, &allowance) < 0)
                allowance = (CpuAllowance) { .percent = 100 };
        timed = allowance.percent == 0;
        shares = timed ? 100 : allowance.percent;
        if (version == CGROUP_V1)
                shares = shares * 1024 / 100;
        /* The kernel takes no less than 2 (version 1) and 1. */
        shares = MAX(shares, lower + (version == CGROUP_V1 ? 2 : 1)) - lower;
        add(list, TOPIC_SHARES, text ? "limits.cpu.allowance" : "limits.cpu.priority", "cpu",
            version == CGROUP_V1 ? "cpu.shares" : "cpu.weight",
            LIMIT_HINT | unset_unless(lowered || allowance.percent != 100), number(shares));

        if (version == CGROUP_V2) {
                add(list, TOPIC_QUOTA, "limits.cpu.allowance", "cpu", "cpu.max",
                    unset_unless(timed),
                    timed ? g_strdup_printf("%u %u", allowance.quota_ms * 1000,
                                            allowance.period_ms * 1000)
                          : g_strdup("max 100000"));
                return;
        }
        /* Quota and period are checked against each other at each write. */
        add(list, TOPIC_QUOTA, "limits.cpu.allowance", "cpu", "cpu.cfs_quota_us",
            LIMIT_UNSET | LIMIT_TRANSIENT, g_strdup("-1"));
        add(list, TOPIC_QUOTA, "limits.cpu.allowance", "cpu", "cpu.cfs_period_us",
            unset_unless(timed), number(timed ? allowance.period_ms * 1000 : 100000));
        add(list, TOPIC_QUOTA, "limits.cpu.allowance", "cpu", "cpu.cfs_quota_us",
            unset_unless(timed), timed ? number(allowance.quota_ms * 1000) : g_strdup("-1"));
}

static void add_cpuset(GPtrArray *list, const char *cpus, const LimitsHost *host) {
        add(list, TOPIC_CPUSET, "limits.cpu", "cpuset", "cpuset.cpus", unset_unless(*cpus),
            g_strdup(*cpus ? cpus : host->all_cpus));
}

/* --- memory --- */

typedef struct MemoryLimits {
        uint64_t size;   /* 0: none */
        bool soft;
        bool no_swap;
        uint64_t swap;   /* 0: as much as there is, unless no_swap */
} MemoryLimits;

static MemoryLimits memory_read(GVariant *config, const LimitsHost *host) {
        const char *size = config_get(config, "limits.memory");
        const char *swap = config_get(config, "limits.memory.swap");
        MemoryLimits memory = {
                .soft = g_strcmp0(config_get(config, "limits.memory.enforce"), "soft") == 0,
        };
        bool on = true;

        if (size && config_parse_share(size, host->memory, &memory.size, NULL) < 0)
                memory.size = 0;
        if (swap && config_parse_boolean(swap, &on) >= 0)
                memory.no_swap = !on;
        else if (swap && size_parse(swap, &memory.swap, NULL) >= 0)
                memory.no_swap = memory.swap == 0;
        return memory;
}

static char *bytes_or(uint64_t bytes, const char *none) {
        return bytes > 0 ? number(bytes) : g_strdup(none);
}

static void add_memory_v1(GPtrArray *list, const MemoryLimits *memory) {
        uint64_t hard = memory->soft ? 0 : memory->size;
        uint64_t with_swap = hard == 0                         ? 0
                             : memory->no_swap || memory->swap > 0 ? hard + memory->swap
                                                                   : 0;

        /* The sum must never be below the limit, whichever way both go: it is lifted first. */
        add(list, TOPIC_MEMORY, "limits.memory", "memory", "memory.memsw.limit_in_bytes",
            LIMIT_UNSET | LIMIT_TRANSIENT, g_strdup("-1"));
        add(list, TOPIC_MEMORY, "limits.memory", "memory", "memory.limit_in_bytes",
            unset_unless(hard > 0), bytes_or(hard, "-1"));
        add(list, TOPIC_MEMORY, "limits.memory", "memory", "memory.soft_limit_in_bytes",
            unset_unless(memory->soft && memory->size > 0),
            bytes_or(memory->soft ? memory->size : 0, "-1"));
        add(list, TOPIC_MEMORY, "limits.memory.swap", "memory", "memory.memsw.limit_in_bytes",
            LIMIT_HINT | unset_unless(with_swap > 0), bytes_or(with_swap, "-1"));
}

static void add_memory_v2(GPtrArray *list, const MemoryLimits *memory) {
        add(list, TOPIC_MEMORY, "limits.memory", "memory", "memory.max",
            unset_unless(!memory->soft && memory->size > 0),
            bytes_or(memory->soft ? 0 : memory->size, "max"));
        /* memory.low would be a guarantee, which is no limit. */
        add(list, TOPIC_MEMORY, "limits.memory", "memory", "memory.high",
            unset_unless(memory->soft && memory->size > 0),
            bytes_or(memory->soft ? memory->size : 0, "max"));
        add(list, TOPIC_MEMORY, "limits.memory.swap", "memory", "memory.swap.max",
            unset_unless(memory->no_swap || memory->swap > 0),
            memory->no_swap ? g_strdup("0") : bytes_or(memory->swap, "max"));
}

static void add_memory(GPtrArray *list, GVariant *config, CgroupVersion version,
                       const LimitsHost *host) {
        MemoryLimits memory = memory_read(config, host);
        const char *priority = config_get(config, "limits.memory.swap.priority");
        unsigned swappiness = 70 - (unsigned) config_get_integer(config,
                                                                 "limits.memory.swap.priority");

        if (version == CGROUP_V1)
                add_memory_v1(list, &memory);
        else
                add_memory_v2(list, &memory);
        /* Version 2 has nothing of the kind: the file is never there, and a value is reported. */
        if (memory.no_swap && version == CGROUP_V1)
                add(list, TOPIC_SWAPPINESS, "limits.memory.swap", "memory", "memory.swappiness", 0,
                    g_strdup("0"));
        else
                add(list, TOPIC_SWAPPINESS, "limits.memory.swap.priority", "memory",
                    "memory.swappiness", LIMIT_HINT | unset_unless(priority), number(swappiness));
}

/* --- the others --- */

/* The middle is the kernel's own weight, that of all that has none; the last the most of BFQ. */
static void add_disk(GPtrArray *list, GVariant *config, CgroupVersion version) {
        static const uint64_t weights[] = { 10, 20, 40, 60, 80, 100, 280, 460, 640, 820, 1000 };
        const char *key = "limits.disk.priority", *text = config_get(config, key);
        uint64_t priority = MIN(config_get_integer(config, key), ELEMENTSOF(weights) - 1);

        add(list, TOPIC_DISK, key, version == CGROUP_V1 ? "blkio" : "io",
            version == CGROUP_V1 ? "blkio.bfq.weight" : "io.bfq.weight|io.weight",
            LIMIT_HINT | unset_unless(text), number(weights[priority]));
}

static void add_hugepages(GPtrArray *list, GVariant *config, CgroupVersion version) {
        static const struct {
                const char *key, *v1, *v2;
        } sizes[] = {
                { "limits.hugepages.64KB", "hugetlb.64KB.limit_in_bytes", "hugetlb.64KB.max" },
                { "limits.hugepages.1MB", "hugetlb.1MB.limit_in_bytes", "hugetlb.1MB.max" },
                { "limits.hugepages.2MB", "hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max" },
                { "limits.hugepages.1GB", "hugetlb.1GB.limit_in_bytes", "hugetlb.1GB.max" },
        };

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                const char *text = config_get(config, sizes[i].key);
                uint64_t bytes;
                bool set = text && size_parse(text, &bytes, NULL) >= 0;

                add(list, (unsigned) (TOPIC_HUGEPAGES + i), sizes[i].key, "hugetlb",
                    version == CGROUP_V1 ? sizes[i].v1 : sizes[i].v2, unset_unless(set),
                    set ? number(bytes) : g_strdup(version == CGROUP_V1 ? "-1" : "max"));
        }
}

GPtrArray *limits_list(GVariant *config, const char *cpus, CgroupVersion version,
                       const LimitsHost *host) {
        GPtrArray *list = g_ptr_array_new_with_free_func(limit_free);
        const char *processes = config_get(config, "limits.processes");

        add_cpuset(list, cpus, host);
        add_cpu(list, config, version);
        add_memory(list, config, version, host);
        add(list, TOPIC_PROCESSES, "limits.processes", "pids", "pids.max",
            unset_unless(processes), g_strdup(processes ?: "max"));
        add_disk(list, config, version);
        add_hugepages(list, config, version);
        return list;
}

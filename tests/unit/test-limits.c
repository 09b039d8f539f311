/* SPDX-License-Identifier: Apache-2.0 */

/* What limits are in the files of control groups, version 1 and version 2, and how CPUs are shared
 * out. */

#include <string.h>

#include "service/model/config.h"
#include "service/model/limits.h"
#include "service/util/cleanup.h"
#include "tests/unit/test.h"

#define HOST_MEMORY (UINT64_C(8) << 30)

/* What is set, in its order: "file=value file=value"; hints in brackets. */
static char *describe(const char *text, const char *cpus, CgroupVersion version) {
        g_autoptr(GVariant) config = g_variant_ref_sink(
                g_variant_parse(CONFIG_TYPE, text, NULL, NULL, NULL));
        const LimitsHost host = { HOST_MEMORY, version == CGROUP_V1 ? "0-3" : "" };
        g_autoptr(GPtrArray) list = limits_list(config, cpus, version, &host);
        GString *all = g_string_new(NULL);

        for (guint i = 0; i < list->len; i++) {
                const Limit *limit = g_ptr_array_index(list, i);
                bool hint = limit->flags & LIMIT_HINT;

                if (limit->flags & LIMIT_UNSET)
                        continue;
                g_string_append_printf(all, "%s%s%s=%s%s", all->len > 0 ? " " : "",
                                       hint ? "(" : "", limit->files, limit->value,
                                       hint ? ")" : "");
        }
        return g_string_free(all, FALSE);
}

TEST(files) {
        static const struct {
                const char *config, *cpus, *v1, *v2;
        } cases[] = {
                { "@a{ss} {}", "", "", "" },
                { "@a{ss} {}", "1,3", "cpuset.cpus=1,3", "cpuset.cpus=1,3" },
                { "{'limits.cpu.allowance': '50%'}", "", "(cpu.shares=512)", "(cpu.weight=50)" },
                { "{'limits.cpu.priority': '5'}", "", "(cpu.shares=1019)", "(cpu.weight=95)" },
                { "{'limits.cpu.allowance': '1%', 'limits.cpu.priority': '0'}", "",
                  "(cpu.shares=2)", "(cpu.weight=1)" },
                { "{'limits.cpu.allowance': '25ms/100ms'}", "",
                  "(cpu.shares=1024) cpu.cfs_period_us=100000 cpu.cfs_quota_us=25000",
                  "(cpu.weight=100) cpu.max=25000 100000" },
                { "{'limits.memory': '256MB'}", "", "memory.limit_in_bytes=256000000",
                  "memory.max=256000000" },
                { "{'limits.memory': '256MiB'}", "", "memory.limit_in_bytes=268435456",
                  "memory.max=268435456" },
                { "{'limits.memory': '50%'}", "", "memory.limit_in_bytes=4294967250",
                  "memory.max=4294967250" },
                { "{'limits.memory': '1EiB'}", "", "memory.limit_in_bytes=1152921504606846976",
                  "memory.max=1152921504606846976" },
                /* Soft is a limit too, and never a guarantee. */
                { "{'limits.memory': '1GiB', 'limits.memory.enforce': 'soft'}", "",
                  "memory.soft_limit_in_bytes=1073741824", "memory.high=1073741824" },
                /* No swap is no swap, on both. */
                { "{'limits.memory': '1GiB', 'limits.memory.swap': 'false'}", "",
                  "memory.limit_in_bytes=1073741824 (memory.memsw.limit_in_bytes=1073741824) "
                  "memory.swappiness=0",
                  "memory.max=1073741824 memory.swap.max=0" },
                { "{'limits.memory.swap': 'false'}", "", "memory.swappiness=0",
                  "memory.swap.max=0" },
                { "{'limits.memory': '1GiB', 'limits.memory.swap': 'true'}", "",
                  "memory.limit_in_bytes=1073741824", "memory.max=1073741824" },
                { "{'limits.memory': '1GiB', 'limits.memory.swap': '512MiB'}", "",
                  "memory.limit_in_bytes=1073741824 (memory.memsw.limit_in_bytes=1610612736)",
                  "memory.max=1073741824 memory.swap.max=536870912" },
                { "{'limits.memory.swap.priority': '0'}", "", "(memory.swappiness=70)",
                  "(memory.swappiness=70)" },
                { "{'limits.processes': '100'}", "", "pids.max=100", "pids.max=100" },
                { "{'limits.disk.priority': '0'}", "", "(blkio.bfq.weight=10)",
                  "(io.bfq.weight|io.weight=10)" },
                { "{'limits.disk.priority': '5'}", "", "(blkio.bfq.weight=100)",
                  "(io.bfq.weight|io.weight=100)" },
                { "{'limits.disk.priority': '7'}", "", "(blkio.bfq.weight=460)",
                  "(io.bfq.weight|io.weight=460)" },
                { "{'limits.disk.priority': '10'}", "", "(blkio.bfq.weight=1000)",
                  "(io.bfq.weight|io.weight=1000)" },
                { "{'limits.hugepages.2MB': '64MiB'}", "", "hugetlb.2MB.limit_in_bytes=67108864",
                  "hugetlb.2MB.max=67108864" },
                { "{'limits.hugepages.1GB': '2GiB'}", "",
                  "hugetlb.1GB.limit_in_bytes=2147483648", "hugetlb.1GB.max=2147483648" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autofree char *v1 = describe(cases[i].config, cases[i].cpus, CGROUP_V1);
                g_autofree char *v2 = describe(cases[i].config, cases[i].cpus, CGROUP_V2);

                g_assert_cmpstr(v1, ==, cases[i].v1);
                g_assert_cmpstr(v2, ==, cases[i].v2);
        }
}

/* Two lists of a version can be laid side by side, whatever the configurations are. */
TEST(lists_have_the_same_entries) {
        static const char *const configs[] = {
                "@a{ss} {}",
                "{'limits.memory': '1GiB', 'limits.memory.swap': 'false'}",
                "{'limits.memory': '1GiB', 'limits.memory.enforce': 'soft'}",
                "{'limits.cpu.allowance': '25ms/100ms', 'limits.memory.swap': '1GiB'}",
        };
        const LimitsHost host = { HOST_MEMORY, "0-3" };

        for (CgroupVersion version = CGROUP_V1; version <= CGROUP_V2; version++) {
                g_autoptr(GVariant) none = config_empty();
                g_autoptr(GPtrArray) first = limits_list(none, "", version, &host);

                for (size_t i = 0; i < ELEMENTSOF(configs); i++) {
                        g_autoptr(GVariant) config = g_variant_ref_sink(
                                g_variant_parse(CONFIG_TYPE, configs[i], NULL, NULL, NULL));
                        g_autoptr(GPtrArray) list = limits_list(config, "1", version, &host);

                        g_assert_cmpuint(list->len, ==, first->len);
                        for (guint j = 0; j < list->len; j++) {
                                const Limit *a = g_ptr_array_index(first, j);
                                const Limit *b = g_ptr_array_index(list, j);

                                g_assert_cmpstr(a->files, ==, b->files);
                                g_assert_cmpuint(a->topic, ==, b->topic);
                                g_assert_cmpuint(a->topic, <, 32);
                        }
                }
        }
}

TEST(without_limits_all_is_the_kernels_own) {
        g_autoptr(GVariant) none = config_empty();
        const LimitsHost host = { HOST_MEMORY, "0-3" };

        for (CgroupVersion version = CGROUP_V1; version <= CGROUP_V2; version++) {
                g_autoptr(GPtrArray) list = limits_list(none, "", version, &host);

                for (guint i = 0; i < list->len; i++)
                        g_assert_true(((Limit *) g_ptr_array_index(list, i))->flags & LIMIT_UNSET);
        }
}

TEST(the_sum_of_memory_and_swap_is_lifted_before_it_is_set) {
        g_autoptr(GVariant) config = g_variant_ref_sink(g_variant_new_parsed(
                "{'limits.memory': '1GiB', 'limits.memory.swap': '1GiB'}"));
        const LimitsHost host = { HOST_MEMORY, "" };
        g_autoptr(GPtrArray) list = limits_list(config, "", CGROUP_V1, &host);
        GString *order = g_string_new(NULL);
        g_autofree char *text = NULL;

        for (guint i = 0; i < list->len; i++) {
                const Limit *limit = g_ptr_array_index(list, i);

                if (strstr(limit->files, "limit_in_bytes") && !strstr(limit->files, "soft") &&
                    g_str_has_prefix(limit->files, "memory"))
                        g_string_append_printf(order, "%s=%s ", limit->files, limit->value);
        }
        text = g_string_free(order, FALSE);
        g_assert_cmpstr(text, ==, "memory.memsw.limit_in_bytes=-1 "
                                  "memory.limit_in_bytes=1073741824 "
                                  "memory.memsw.limit_in_bytes=2147483648 ");
}

/* --- CPUs --- */

TEST(lists_of_cpus) {
        static const char *const cases[][2] = {
                { "", "" }, { "0", "0" }, { "0-3", "0-3" }, { "0,2-3,5\n", "0,2-3,5" },
                { "3,1,2", "1-3" }, { "1,1", "1" }, { "nonsense", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(GArray) cpus = cpus_parse(cases[i][0]);
                g_autofree char *text = cpus_format(cpus);

                g_assert_cmpstr(text, ==, cases[i][1]);
        }
}

/* limits.cpu of each container ("" for none), and the sets that they get, on CPUs 0 to 3. */
TEST(balance) {
        static const struct {
                const char *limits[5], *sets[5];
        } cases[] = {
                { { "1", "1", "1", "1" }, { "0", "1", "2", "3" } },
                { { "2", "2" }, { "0-1", "2-3" } },
                { { "2", "2", "2" }, { "0-1", "2-3", "0-1" } },
                { { "", "1" }, { "", "0" } },
                { { "4" }, { "" } },
                { { "8" }, { "" } },
                { { "1,3" }, { "1,3" } },
                { { "1-1" }, { "1" } },
                { { "0-3,7-11" }, { "0-3" } },
                { { "7-11" }, { "" } },
                /* Whoever is pinned has his CPUs to himself as long as there are others. */
                { { "0-0", "1", "2" }, { "0", "1", "2-3" } },
                { { "0-2", "2" }, { "0-2", "0,3" } },
                { { "1", "0-1", "1" }, { "2", "0-1", "3" } },
        };
        g_autoptr(GArray) host = cpus_parse("0-3");

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                CpuUser users[5] = { 0 };
                g_auto(GStrv) sets = NULL;
                size_t n = 0;

                for (; cases[i].limits[n]; n++) {
                        g_autoptr(GVariant) config = g_variant_ref_sink(g_variant_new_parsed(
                                "{'limits.cpu': %s}", cases[i].limits[n]));

                        cpu_user_read(config, &users[n]);
                }
                sets = cpus_balance(host, users, n);
                for (size_t j = 0; j < n; j++) {
                        if (g_strcmp0(sets[j], cases[i].sets[j]) != 0)
                                g_error("case %zu, container %zu: %s", i, j, sets[j]);
                        g_clear_pointer(&users[j].pinned, g_array_unref);
                }
        }
}

TEST_MAIN()

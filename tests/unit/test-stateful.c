/* SPDX-License-Identifier: Apache-2.0 */

/* Which containers can be stopped with their state, and what is said of the others. */

#include <string.h>

#include "service/model/stateful.h"
#include "service/util/cleanup.h"
#include "tests/unit/test.h"

#define ROOT "'root': {'type': 'disk', 'path': '/', 'pool': 'default'}"

static const struct {
        const char *config, *devices;
        const char *named; /* what the refusal names, NULL for none */
} cases[] = {
        { "@a{ss} {}", "{" ROOT "}", NULL },
        { "{'limits.memory': '1GiB', 'security.nesting': 'false'}", "{" ROOT "}", NULL },
        { "@a{ss} {}", "{" ROOT ", 'eth0': {'type': 'nic', 'network': 'br'}}", NULL },
        { "@a{ss} {}", "{" ROOT ", 'eth0': {'type': 'nic', 'nictype': 'p2p'}}", NULL },
        { "@a{ss} {}", "{" ROOT ", 'gone': {'type': 'none'}}", NULL },
        { "{'security.nesting': 'true'}", "{" ROOT "}", "security.nesting" },
        { "{'security.privileged': 'true'}", "{" ROOT "}", "security.privileged" },
        { "{'raw.lxc': 'lxc.x = y'}", "{" ROOT "}", "raw.lxc" },
        { "{'raw.apparmor': 'mount,'}", "{" ROOT "}", "raw.apparmor" },
        { "@a{ss} {}", "{" ROOT ", 'home': {'type': 'disk', 'path': '/home', 'source': '/home'}}",
          "home" },
        { "@a{ss} {}",
          "{" ROOT ", 'eth1': {'type': 'nic', 'nictype': 'macvlan', 'parent': 'eth0'}}", "eth1" },
        { "@a{ss} {}",
          "{" ROOT ", 'eth2': {'type': 'nic', 'nictype': 'bridged', 'parent': 'br', 'vlan': '7'}}",
          "eth2" },
        { "@a{ss} {}",
          "{" ROOT ", 'eth3': {'type': 'nic', 'nictype': 'bridged', 'parent': 'br', "
          "'vlan.tagged': '7'}}", "eth3" },
        { "@a{ss} {}", "{" ROOT ", 'kvm': {'type': 'unix-char', 'source': '/dev/kvm'}}", "kvm" },
        { "@a{ss} {}",
          "{" ROOT ", 'web': {'type': 'proxy', 'listen': 'tcp:0.0.0.0:80', "
          "'connect': 'tcp:127.0.0.1:80'}}", "web" },
};

TEST(what_could_not_be_restored_is_not_saved) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(GVariant) config = g_variant_ref_sink(
                        g_variant_new_parsed(cases[i].config));
                g_autoptr(GVariant) devices = g_variant_ref_sink(
                        g_variant_new_parsed(cases[i].devices));
                g_auto(Error) error = ERROR_INIT;
                int r = stateful_check("c1", config, devices, &error);

                g_assert_cmpint(r < 0, ==, cases[i].named != NULL);
                if (r >= 0)
                        continue;
                g_assert_cmpint(error.code, ==, ERROR_NOT_SUPPORTED);
                g_assert_nonnull(strstr(error.message, cases[i].named));
        }
}

TEST_MAIN()

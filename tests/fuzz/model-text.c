/* SPDX-License-Identifier: Apache-2.0 */

/* Texts with a grammar of their own that users, images and files of the host bring. */

#include <string.h>
#include <sys/socket.h>

#include "service/model/config-value.h"
#include "service/model/idmap.h"
#include "service/model/name.h"
#include "service/model/network.h"
#include "service/model/size.h"
#include "service/model/snapshot-calendar.h"
#include "service/model/snapshot-pattern.h"
#include "service/model/snapshot.h"
#include "service/model/subnet.h"
#include "service/model/template.h"
#include "service/util/cleanup.h"
#include "service/worker/network/word.h"
#include "service/worker/runtime/user.h"
#include "tests/fuzz/target.h"

static void seed_all(const char *const *texts, size_t n) {
        for (size_t i = 0; i < n; i++)
                fuzz_seed_text(texts[i]);
}

#define SEED_ALL(...) \
        do { \
                static const char *const texts[] = { __VA_ARGS__ }; \
                seed_all(texts, ELEMENTSOF(texts)); \
        } while (0)

/* --- sizes --- */

FUZZ_TARGET(size) {
        g_auto(Error) error = ERROR_INIT;
        g_autofree char *text = fuzz_text(data, size), *shown = NULL;
        uint64_t bytes = 0;
        int r = size_parse(text, &bytes, &error);

        fuzz_check_error(r, &error);
        if (r < 0)
                return;
        g_assert_cmpuint(bytes, <, UINT64_C(1) << 63);
        /* What is shown reads as nearly the same. */
        shown = size_format(bytes);
        if (bytes < (UINT64_C(1) << 62)) {
                uint64_t again = 0;

                g_assert_cmpint(size_parse(shown, &again, NULL), >=, 0);
                g_assert_cmpuint(again > bytes ? again - bytes : bytes - again, <=, bytes / 50);
        }
}

FUZZ_SEEDS(size) {
        SEED_ALL("0", "1", "10GB", "1.5GiB", "1.123kB", "9223372036854775807", "8EiB", "7.999EiB",
                 "10G", "1B", "3 MiB", "-1", "1e3", "0.001kB", "1.MiB", ".5MiB");
}

/* --- names --- */

FUZZ_TARGET(name) {
        g_autofree char *text = fuzz_text(data, size);

        for (NameKind kind = 0; kind < _NAME_KIND_MAX; kind++) {
                g_auto(Error) error = ERROR_INIT;
                int r = name_check(kind, text, &error);

                fuzz_check_error(r, &error);
                if (r < 0)
                        continue;
                /* Safe as an argument, in a line of a file, as a file name. */
                g_assert_cmpint(*text, !=, '\0');
                g_assert_cmpint(*text, !=, '-');
                g_assert_cmpint(*text, !=, '.');
                for (const char *p = text; *p; p++)
                        g_assert_true(g_ascii_isgraph(*p));
                g_assert_true(kind == NAME_ALIAS || !strpbrk(text, "/\\\"'$`;&|<>(){}*?[]!#,=% "));
        }
        if (name_is_fingerprint(text))
                g_assert_true(name_is_fingerprint_prefix(text) && strlen(text) == 64);
}

FUZZ_SEEDS(name) {
        SEED_ALL("c1", "web-1", "a.b_c", "berthbr0", "debian/12", "-rf", "..", ".", "a/b", "A",
                 "1a", "a-", "all", "default", "x\ty", "\xc3\xa9",
                 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
}

/* --- raw.lxc --- */

/* Each line of the result is a key that liblxc gets, and a line only. */
FUZZ_TARGET(raw_lxc) {
        g_auto(Error) error = ERROR_INIT;
        g_autofree char *text = fuzz_text(data, size), *out = NULL, *again = NULL;
        g_auto(GStrv) lines = NULL;
        int r = config_parse_raw_lxc(text, &out, &error);

        fuzz_check_error(r, &error);
        if (r < 0)
                return;
        lines = g_strsplit(out, "\n", -1);
        for (char **line = lines; *line && **line; line++) {
                g_assert_true(g_str_has_prefix(*line, "lxc."));
                g_assert_nonnull(strstr(*line, " = "));
                g_assert_false(g_str_has_prefix(*line, "lxc.include"));
                g_assert_false(g_str_has_prefix(*line, "lxc.rootfs.path"));
                g_assert_false(g_str_has_prefix(*line, "lxc.idmap"));
                g_assert_false(g_str_has_prefix(*line, "lxc.net"));
        }
        /* In the words of today's liblxc it says the same. */
        g_assert_cmpint(config_parse_raw_lxc(out, &again, NULL), >=, 0);
        g_assert_cmpstr(out, ==, again);
}

FUZZ_SEEDS(raw_lxc) {
        SEED_ALL("lxc.apparmor.profile = unconfined\nlxc.cap.drop =", "# nothing\n\n",
                 "lxc.aa_profile=unconfined", "lxc.include = /etc/passwd", "lxc.idmap = u 0 0 1",
                 "lxc.rootfs.path = dir:/", "lxc.hook.pre-start = /bin/true", "lxc.mount.entry = a",
                 " lxc.mount.auto\t=\tproc:rw \r\nlxc.net.0.type = phys", "lxc.environment = A=b=c",
                 "lxc.seccomp.profile = /x # no comment", "lxc.arch");
}

/* --- ranges of ids --- */

FUZZ_TARGET(idmap) {
        g_autofree char *text = fuzz_bytes(data, size);
        char *second = strchr(text, '%');
        g_autoptr(GArray) uids = NULL, gids = NULL, both = NULL;
        g_autoptr(GArray) used = g_array_new(FALSE, FALSE, sizeof(IdUse));
        static const IdWish wishes[] = {
                { .size = ID_RANGE_SIZE }, { .size = 3 * ID_RANGE_SIZE },
                { .size = ID_RANGE_SIZE, .shared = true }, { .size = ID_RANGE_SIZE },
                { .base = 200000, .size = ID_RANGE_SIZE }, { .size = 1000000 },
                { .size = 2 * ID_RANGE_SIZE, .shared = true }, { .size = UINT32_MAX - 1 },
        };

        if (second)
                *second++ = '\0';
        uids = id_ranges_parse_subid(text);
        gids = id_ranges_parse_subid(second);
        both = id_ranges_intersect(uids, gids);
        for (size_t i = 0; i < G_N_ELEMENTS(wishes); i++) {
                g_auto(Error) error = ERROR_INIT;
                IdUse use = { .shared = wishes[i].shared, .name = "c" };
                int r = id_range_choose(&wishes[i], both, used, &use.range, &error);

                fuzz_check_error(r, &error);
                if (r < 0)
                        continue;
                g_assert_true(id_use_fits(&use, &wishes[i], both, used));
                g_assert_cmpuint(use.range.base, >, 0);
                g_assert_cmpuint((uint64_t) use.range.base + use.range.size, <=, UINT32_MAX);
                for (guint j = 0; j < used->len; j++) {
                        const IdUse *u = &g_array_index(used, IdUse, j);

                        g_assert_true((u->shared && use.shared) ||
                                      use.range.base >= u->range.base + u->range.size ||
                                      u->range.base >= use.range.base + use.range.size);
                }
                g_array_append_val(used, use);
        }
}

FUZZ_SEEDS(idmap) {
        SEED_ALL("", "root:100000:65536\n", "root:100000:65536\nroot:300000:200000\n%root:1:400000",
                 "0:4294900000:65535", "root:1000000:1000000000%root:1000000:1000000000",
                 "root:0:65536", "root:-1:65536", "root:1:4294967295", "user:1:2\nroot:1:2:3",
                 "root:2147200000:500000%root:2147200000:500000");
}

/* Every id is one other id at the most, both ways; the host's root and what is there for containers
 * are not given away; and what is written reads as the same. */
FUZZ_TARGET(raw_idmap) {
        static const IdRange range = { 1000000, 65536 };
        static const uint32_t samples[] = { 0, 1, 5, 999, 1000, 1001, 65535, 65536, 100000,
                                            UINT32_MAX - 1, UINT32_MAX };
        g_autofree char *text = fuzz_text(data, size), *users = NULL;
        g_autoptr(GArray) allowed = g_array_new(FALSE, FALSE, sizeof(IdRange));
        g_autoptr(IdMap) map = idmap_new_range(range), again = NULL;
        g_autoptr(GVariant) variant = NULL;
        g_auto(Error) error = ERROR_INIT;
        int r, checked = idmap_check_raw(text, NULL);

        g_array_append_val(allowed, range);
        r = idmap_punch(map, text, allowed, &error);
        fuzz_check_error(r, &error);
        if (r < 0)
                return;
        g_assert_cmpint(checked, >=, 0);
        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++)
                for (IdKind kind = 0; kind < _ID_KIND_MAX; kind++) {
                        uint32_t host, inside;

                        if (!idmap_to_host(map, kind, samples[i], &host))
                                continue;
                        g_assert_cmpuint(host, >, 0);
                        g_assert_true(idmap_to_inside(map, kind, host, &inside));
                        g_assert_cmpuint(inside, ==, samples[i]);
                        g_assert_cmpuint(samples[i], <, idmap_end(map));
                }
        variant = g_variant_ref_sink(idmap_to_variant(map));
        g_assert_cmpint(idmap_from_variant(variant, &again, NULL), >=, 0);
        g_assert_true(idmap_equal(map, again));
        users = idmap_to_proc(map, ID_USER);
        g_assert_true(idmap_is_proc(map, ID_USER, users));
}

FUZZ_SEEDS(raw_idmap) {
        SEED_ALL("", "both 1000 1000", "uid 1000-1009 0-9\ngid 100 100\n", "uid 5 5\ngid 5 5",
                 "both 1-65536 0-65535", "both 100000 100000", "both 5-6 4294967293-4294967294",
                 "both 1000001 5", "both 0 0", "both 1000 1000\nuid 1001 1000", "gid -1 0");
}

/* --- schedules, expiries, names of snapshots --- */

#define SOME_TIME UINT64_C(1767225600000000) /* 2026-01-01 */

FUZZ_TARGET(schedule) {
        g_auto(Error) error = ERROR_INIT;
        g_autofree char *text = fuzz_text(data, size);
        int r = snapshot_schedule_check(text, &error);
        uint64_t next = 0, after = SOME_TIME;

        fuzz_check_error(r, &error);
        (void) snapshot_schedule_at_start(text);
        for (int i = 0; i < 3; i++) {
                if (!snapshot_schedule_next(text, after, &next))
                        return;
                g_assert_cmpint(r, >=, 0);
                g_assert_cmpuint(next, >, after);
                g_assert_cmpuint(next % (60 * G_USEC_PER_SEC), ==, 0);
                after = next;
        }
}

FUZZ_SEEDS(schedule) {
        SEED_ALL("* * * * *", "30 4 * * *", "*/15 * * * *", "5-10/5,50 1 * * *", "0 0 29 2 *",
                 "0 0 * * mon-fri", "0 12 1 jan-mar *", "15/20 * * * *", "@hourly",
                 "@daily, @startup",
                 "@never", "0 0 31 2 *", "", "61 * * * *", "* * * * * *", "*/0 * * * *");
}

FUZZ_TARGET(expiry) {
        g_auto(Error) error = ERROR_INIT;
        g_autofree char *text = fuzz_text(data, size);
        uint64_t expires = 0;
        int checked = snapshot_expiry_check(text, NULL), r;

        r = snapshot_expiry_apply(text, SOME_TIME, &expires, &error);
        fuzz_check_error(r, &error);
        if (r < 0)
                return;
        g_assert_cmpint(checked, >=, 0);
        g_assert_true(expires == 0 || expires >= SOME_TIME);
}

FUZZ_SEEDS(expiry) {
        SEED_ALL("", "1w 2d", "1S", "30M 1H", "1m", "1y", "99999999y", "1d1d", "0S", "12m 1y 3w",
                 "18446744073709551615S", "1.5d", "-1d");
}

FUZZ_TARGET(pattern) {
        g_auto(Error) error = ERROR_INIT;
        g_autofree char *text = fuzz_text(data, size), *name = NULL;
        g_autoptr(GPtrArray) snapshots = g_ptr_array_new_with_free_func((void *) snapshot_free);
        int r;

        fuzz_check_error(snapshot_pattern_check(text, &error), &error);
        for (int i = 0; i < 3; i++) {
                g_auto(Error) e = ERROR_INIT;

                g_clear_pointer(&name, g_free);
                r = snapshot_pattern_apply(text, snapshots, SOME_TIME, &name, &e);
                fuzz_check_error(r, &e);
                if (r < 0)
                        return;
                g_assert_cmpint(name_check(NAME_SNAPSHOT, name, NULL), >=, 0);
                g_assert_null(snapshots_find(snapshots, name));
                g_ptr_array_add(snapshots, snapshot_new("c1", name, 0));
        }
}

FUZZ_SEEDS(pattern) {
        SEED_ALL("snap%d", "%d", "{{ creation_date }}",
                 "{{creation_date|date:'2006-01-02_15-04-05'}}",
                 "a%db%d", "{{ creation_date|date:\"Mon Jan\" }}", "{{", "x", "%d%%",
                 "snap-%d-{{ x }}",
                 "{{ creation_date|date:'' }}");
}

/* --- templates --- */

FUZZ_TARGET(template) {
        static GVariant *context;
        g_auto(Error) error = ERROR_INIT;
        g_autofree char *text = fuzz_text(data, size), *out = NULL;
        int r;

        if (!context)
                context = g_variant_ref_sink(g_variant_new_parsed(
                        "{'trigger': <'create'>, 'container': <{'name': 'c1'}>,"
                        " 'properties': <{'os': 'Debian', 'empty': ''}>,"
                        " 'config': <{'user.x': '{{ config.user.x }}'}>,"
                        " 'devices': <{'eth0': {'type': 'nic'}}>, 'yes': <true>}"));
        r = template_render("x.tpl", text, context, &out, &error);
        fuzz_check_error(r, &error);
        if (r < 0)
                return;
        g_assert_cmpuint(strlen(out), <=, TEMPLATE_OUTPUT_MAX);
        g_assert_true(g_utf8_validate(out, -1, NULL));
}

FUZZ_SEEDS(template) {
        SEED_ALL("{{ container.name }}\n", "{{ config_get(\"user.x\", properties.os) }}",
                 "{% if trigger == \"create\" %}new{% elif yes %}x{% else %}old{% endif %}",
                 "{{ properties.none|default:\"x\"|upper }}",
                 "{# comment #}a {%- if yes -%} b {%- endif %}",
                 "{% autoescape off %}<{{ 'a&b' }}>{% endautoescape %}",
                 "{% for x in y %}{% endfor %}",
                 "{{ devices.eth0.type }}{{ 12 }}{{ ' x '|trim|length }}",
                 "{% include \"/etc/passwd\" %}",
                 "{% if (no or yes) and not no %}{% if yes %}{% endif %}{% endif %}",
                 "{{ {{ }}", "{%");
}

/* --- the users of a container --- */

FUZZ_TARGET(user) {
        static const char *const users[] = { "", "0", "root", "alice", "4294967295", ":" };
        g_autofree char *text = fuzz_bytes(data, size);
        char *group = strchr(text, '%');

        if (group)
                *group++ = '\0';
        for (size_t i = 0; i < ELEMENTSOF(users); i++) {
                g_auto(Error) error = ERROR_INIT;
                g_auto(User) user = { 0 };
                int r = user_resolve(users[i], i % 2 ? "staff" : "", text, group ?: "", &user,
                                     &error);

                fuzz_check_error(r, &error);
                if (r < 0)
                        continue;
                g_assert_cmpuint(user.uid, !=, (uid_t) -1);
                g_assert_cmpuint(user.gid, !=, (gid_t) -1);
                for (guint j = 0; j < user.groups->len; j++)
                        g_assert_cmpuint(g_array_index(user.groups, gid_t, j), !=, (gid_t) -1);
        }
}

FUZZ_SEEDS(user) {
        SEED_ALL("root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n"
                 "%root:x:0:\nstaff:x:50:alice,root\n",
                 "root:x:4294967295:4294967295:::", "alice:x:-1:1::x:", ":::::", "%staff:x:50",
                 "root:x:0:0\n%staff:x:4294967295:root\nstaff:x:7:root");
}

/* --- addresses and domains of networks --- */

FUZZ_TARGET(network) {
        g_autofree char *text = fuzz_text(data, size);
        static const int families[] = { AF_INET, AF_INET6 };

        for (size_t i = 0; i < ELEMENTSOF(families); i++) {
                g_auto(Error) error = ERROR_INIT, other = ERROR_INIT;
                int r = families[i] == AF_INET ? network_check_ipv4(text, &error)
                                               : network_check_ipv6(text, &error);
                Subnet subnet = SUBNET_NONE, again = SUBNET_NONE;
                g_autofree char *shown = NULL;

                fuzz_check_error(r, &error);
                /* The worker's own reader may be stricter, never more lenient. */
                if (subnet_parse(text, families[i], &subnet, &other) < 0 ||
                    subnet.family == AF_UNSPEC)
                        continue;
                g_assert_cmpint(r, >=, 0);
                shown = subnet_to_string(&subnet);
                g_assert_cmpint(subnet_parse(shown, families[i], &again, NULL), >=, 0);
                g_assert_true(subnet_equal(&subnet, &again));
        }
        if (network_check_domain(text, NULL) >= 0)
                g_assert_true(word_is_domain(text));
}

FUZZ_SEEDS(network) {
        SEED_ALL("10.61.3.1/24", "10.0.0.0/8", "0.0.0.0/0", "none", "auto", "fd42:1::1/64",
                 "fe80::1/64", "::/0", "2001:db8::1/128", "lan.example", "_x.y", "a..b", "-a.b",
                 "10.0.0.1/33", "10.0.0.1/24 ", "010.0.0.1/24");
}

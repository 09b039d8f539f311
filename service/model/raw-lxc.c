/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "service/model/config-value.h"
#include "service/model/config.h"
#include "service/util/cleanup.h"

/* What old liblxc (before 2.1) called a key. */
static const char *const old_names[][2] = {
        { "lxc.aa_allow_incomplete", "lxc.apparmor.allow_incomplete" },
        { "lxc.aa_profile", "lxc.apparmor.profile" },
        { "lxc.console", "lxc.console.path" },
        { "lxc.devttydir", "lxc.tty.dir" },
        { "lxc.haltsignal", "lxc.signal.halt" },
        { "lxc.init_cmd", "lxc.init.cmd" },
        { "lxc.init_gid", "lxc.init.gid" },
        { "lxc.init_uid", "lxc.init.uid" },
        { "lxc.mount", "lxc.mount.fstab" },
        { "lxc.pts", "lxc.pty.max" },
        { "lxc.rebootsignal", "lxc.signal.reboot" },
        { "lxc.se_context", "lxc.selinux.context" },
        { "lxc.seccomp", "lxc.seccomp.profile" },
        { "lxc.stopsignal", "lxc.signal.stop" },
        { "lxc.tty", "lxc.tty.max" },
};

#define SIGNAL_HALT "lxc.signal.halt"

/* Keys that may stand in raw.lxc; one that ends in "." begins many. */
static const char *const known[] = {
        "lxc.apparmor.", "lxc.arch", "lxc.autodev", "lxc.autodev.tmpfs.size", "lxc.cap.drop",
        "lxc.cap.keep", "lxc.cgroup.", "lxc.cgroup2.", "lxc.environment",
        "lxc.environment.hooks", "lxc.environment.runtime", "lxc.hook.autodev",
        "lxc.hook.clone", "lxc.hook.destroy", "lxc.hook.mount", "lxc.hook.post-stop",
        "lxc.hook.pre-mount", "lxc.hook.pre-start", "lxc.hook.start", "lxc.hook.start-host",
        "lxc.hook.stop", "lxc.hook.version", "lxc.init.", "lxc.keyring.session", "lxc.mount.",
        "lxc.namespace.clone", "lxc.namespace.keep", "lxc.no_new_privs", "lxc.proc.",
        "lxc.pty.max", "lxc.rootfs.mount", "lxc.rootfs.options", "lxc.sched.core",
        "lxc.seccomp.", "lxc.selinux.", SIGNAL_HALT, "lxc.sysctl.", "lxc.time.offset.",
        "lxc.tty.",
};

/* What the service itself depends on, and what to use instead. */
static const char *const refused[][2] = {
        { "lxc.cgroup.dir", "the service places containers itself" },
        { "lxc.cgroup2.dir", "the service places containers itself" },
        { "lxc.console.", "the service keeps the console's log" },
        { "lxc.ephemeral", "a container is made ephemeral when it is created" },
        { "lxc.id_map", "use raw.idmap" },
        { "lxc.idmap", "use raw.idmap" },
        { "lxc.include", "write the lines themselves" },
        { "lxc.limit.", "use limits.kernel.*" },
        { "lxc.log", "the service keeps the log" },
        { "lxc.monitor.", "the monitor is the service's" },
        { "lxc.net.", "use devices of type nic" },
        { "lxc.network.", "use devices of type nic" },
        { "lxc.prlimit.", "use limits.kernel.*" },
        { "lxc.rootfs.path", "the root disk is a device" },
        { "lxc.signal.reboot", "a restart is a stop and a start" },
        { "lxc.signal.stop", "what is stopped by force is killed" },
        { "lxc.uts.name", "the container's name is its host name" },
        { "lxc.utsname", "the container's name is its host name" },
};

static bool matches(const char *key, const char *pattern) {
        return g_str_has_suffix(pattern, ".") ? g_str_has_prefix(key, pattern)
                                              : g_str_equal(key, pattern);
}

static int check_key(const char *key, const char *shown, Error *ret_error) {
        for (size_t i = 0; i < ELEMENTSOF(refused); i++)
                if (g_str_has_prefix(key, refused[i][0]))
                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "\"%s\" cannot be set here: %s", shown, refused[i][1]);
        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (matches(key, known[i]))
                        return 0;
        return error_set(ret_error, ERROR_INVALID_CONFIG, "liblxc knows no key \"%.64s\"", shown);
}

static bool is_plain_line(const char *line) {
        if (!g_utf8_validate(line, -1, NULL))
                return false;
        for (const char *p = line; *p; p = g_utf8_next_char(p))
                if (g_unichar_iscntrl(g_utf8_get_char(p)) && *p != '\t')
                        return false;
        return true;
}

/* As liblxc reads them: "SIGPWR", "SIGRTMIN+3", "30". */
static int parse_signal(const char *text, int *ret) {
        const char *name = g_str_has_prefix(text, "SIG") ? text + strlen("SIG") : NULL;
        const char *digits = text;
        uint64_t number;
        int base = 0, sign = 1;

        if (name && g_str_has_prefix(name, "RTMIN+")) {
                base = SIGRTMIN;
                digits = name + strlen("RTMIN+");
        } else if (name && g_str_has_prefix(name, "RTMAX-")) {
                base = SIGRTMAX;
                sign = -1;
                digits = name + strlen("RTMAX-");
        } else if (name) {
                for (*ret = 1; *ret < SIGRTMIN; (*ret)++)
                        if (g_strcmp0(sigabbrev_np(*ret), name) == 0)
                                return 0;
                return -EINVAL;
        }
        if (config_parse_integer(digits, base == 0, (uint64_t) SIGRTMAX, &number) < 0)
                return -EINVAL;
        *ret = base + sign * (int) number;
        return *ret > 0 && *ret <= SIGRTMAX ? 0 : -EINVAL;
}

static int translate_line(char *line, GString *text, Error *ret_error) {
        const char *key, *name;
        char *equals;
        int r, signal;

        g_strstrip(line);
        equals = strchr(line, '=');
        if (*line == '\0' || *line == '#')
                return 0;
        if (!equals || !is_plain_line(line))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%.80s\" is no line such as \"lxc.key = value\"", line);
        *equals = '\0';
        key = name = g_strchomp(line);
        for (size_t i = 0; i < ELEMENTSOF(old_names); i++)
                if (g_str_equal(key, old_names[i][0]))
                        name = old_names[i][1];
        r = check_key(name, key, ret_error);
        if (r < 0)
                return r;
        g_strstrip(equals + 1);
        if (g_str_equal(name, SIGNAL_HALT) && parse_signal(equals + 1, &signal) < 0)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%.40s\" is no signal such as SIGPWR, SIGRTMIN+3 or 30",
                                 equals + 1);
        g_string_append_printf(text, "%s = %s\n", name, equals + 1);
        return 0;
}

int config_parse_raw_lxc(const char *value, char **ret, Error *ret_error) {
        g_auto(GStrv) lines = g_strsplit(value, "\n", -1);
        g_autoptr(GString) text = g_string_new(NULL);

        for (char **line = lines; *line; line++) {
                int r = translate_line(*line, text, ret_error);

                if (r < 0)
                        return r;
        }
        if (ret)
                *ret = g_string_free(TAKE_PTR(text), FALSE);
        return 0;
}

int config_get_halt_signal(GVariant *config, int fallback) {
        static const char key[] = SIGNAL_HALT " = ";
        g_autofree char *text = NULL;
        g_auto(GStrv) lines = NULL;
        int signal, last = fallback;

        if (config_parse_raw_lxc(config_get(config, "raw.lxc") ?: "", &text, NULL) < 0)
                return fallback;
        lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++)
                if (g_str_has_prefix(*line, key) &&
                    parse_signal(*line + strlen(key), &signal) >= 0)
                        last = signal;
        return last;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/config-value.h"

#include <string.h>

#include "service/model/id-range.h"
#include "service/model/name.h"
#include "service/model/size.h"
#include "service/model/syscalls.h"
#include "service/util/cleanup.h"

/* LXD's users put cloud-init documents into user.*; more than this is no configuration. */
#define CONFIG_VALUE_MAX (64U << 10)
/* The kernel's CONFIG_NR_CPUS is nowhere higher. */
#define CPU_MAX 8192U
#define PROXY_HOST_MAX 262U /* a name of DNS, a port */
#define PROXY_EXCEPTIONS_MAX 4096U
/* LVM's own bound is that of a volume's name and its group's together. */
#define GROUP_NAME_MAX 100
#define BLOCK_OPTIONS_MAX 512

int config_parse_boolean(const char *value, bool *ret) {
        static const struct {
                const char *text;
                bool value;
        } words[] = {
                { "true", true }, { "1", true }, { "yes", true }, { "on", true },
                { "false", false }, { "0", false }, { "no", false }, { "off", false },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
                if (g_ascii_strcasecmp(value, words[i].text) == 0) {
                        *ret = words[i].value;
                        return 0;
                }
        return -EINVAL;
}

int config_parse_integer(const char *value, uint64_t min, uint64_t max, uint64_t *ret) {
        guint64 number;

        /* One spelling for one number. */
        if (value[0] == '0' && value[1] != '\0')
                return -EINVAL;
        if (!g_ascii_isdigit(value[0]) ||
            !g_ascii_string_to_unsigned(value, 10, min, max, &number, NULL))
                return -EINVAL;
        *ret = number;
        return 0;
}

static int parse_unsigned(const char *value, uint64_t min, uint64_t max, unsigned *ret) {
        uint64_t number;
        int r = config_parse_integer(value, min, max, &number);

        if (r >= 0)
                *ret = (unsigned) number;
        return r;
}

/* The number in front of a suffix that must be there. */
static int parse_with_suffix(const char *value, const char *suffix, uint64_t min, uint64_t max,
                             unsigned *ret) {
        g_autofree char *number = NULL;

        if (!g_str_has_suffix(value, suffix))
                return -EINVAL;
        number = g_strndup(value, strlen(value) - strlen(suffix));
        return parse_unsigned(number, min, max, ret);
}

int config_parse_share(const char *value, uint64_t whole, uint64_t *ret_size, Error *ret_error) {
        unsigned percent;

        if (!g_str_has_suffix(value, "%"))
                return size_parse(value, ret_size, ret_error);
        if (parse_with_suffix(value, "%", 1, 100, &percent) < 0)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%s\" is no percentage from 1%% to 100%%", value);
        *ret_size = whole / 100 * percent;
        return 0;
}

int config_parse_allowance(const char *value, CpuAllowance *ret) {
        const char *slash = strchr(value, '/');
        g_autofree char *quota = NULL;
        CpuAllowance allowance = { 0 };
        int r;

        if (!slash)
                r = parse_with_suffix(value, "%", 1, 100, &allowance.percent);
        else {
                quota = g_strndup(value, (size_t) (slash - value));
                /* The kernel takes periods from 1 ms to 1 s, quotas from 1 ms. */
                r = parse_with_suffix(slash + 1, "ms", 1, 1000, &allowance.period_ms);
                if (r >= 0)
                        r = parse_with_suffix(quota, "ms", 1, 1000 * (uint64_t) CPU_MAX,
                                              &allowance.quota_ms);
        }
        if (r >= 0)
                *ret = allowance;
        return r;
}

static int compare_cpus(const void *a, const void *b) {
        unsigned x = *(const unsigned *) a, y = *(const unsigned *) b;

        return x < y ? -1 : x > y;
}

static int add_cpus(GArray *set, const char *range) {
        const char *dash = strchr(range, '-');
        g_autofree char *low = dash ? g_strndup(range, (size_t) (dash - range)) : g_strdup(range);
        unsigned first, last;

        if (parse_unsigned(low, 0, CPU_MAX - 1, &first) < 0 ||
            parse_unsigned(dash ? dash + 1 : range, first, CPU_MAX - 1, &last) < 0)
                return -EINVAL;
        for (unsigned cpu = first; cpu <= last; cpu++)
                g_array_append_val(set, cpu);
        return 0;
}

int config_parse_cpus(const char *value, unsigned *ret_count, GArray **ret_set) {
        g_autoptr(GArray) set = g_array_new(FALSE, FALSE, sizeof(unsigned));
        g_auto(GStrv) ranges = NULL;

        if (!strpbrk(value, ",-")) {
                int r = parse_unsigned(value, 1, CPU_MAX, ret_count);

                if (r >= 0)
                        *ret_set = NULL;
                return r;
        }
        if (strlen(value) > 1024)
                return -EINVAL;
        ranges = g_strsplit(value, ",", -1);
        for (char **range = ranges; *range; range++)
                if (add_cpus(set, *range) < 0 || set->len > CPU_MAX)
                        return -EINVAL;
        g_array_sort(set, compare_cpus);
        for (guint i = 1; i < set->len;)
                if (g_array_index(set, unsigned, i) == g_array_index(set, unsigned, i - 1))
                        g_array_remove_index(set, i);
                else
                        i++;
        *ret_count = 0;
        *ret_set = TAKE_PTR(set);
        return 0;
}

/* --- checks --- */

int config_check_text(const char *value, Error *ret_error) {
        if (strlen(value) > CONFIG_VALUE_MAX)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "the value is longer than %u bytes", CONFIG_VALUE_MAX);
        return 0;
}

/* What ends up in a process's environment or in a file of lines. */
int config_check_line(const char *value, Error *ret_error) {
        for (const char *p = value; *p; p++)
                if (g_ascii_iscntrl(*p))
                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "the value holds a control character");
        return config_check_text(value, ret_error);
}

int config_check_boolean(const char *value, Error *ret_error) {
        bool unused;

        if (config_parse_boolean(value, &unused) < 0)
                return error_set(ret_error, ERROR_INVALID_CONFIG, "\"%s\" is not true or false",
                                 value);
        return 0;
}

int config_check_compression(const char *value, Error *ret_error) {
        static const char *const known[] = { "gzip", "bzip2", "xz", "zstd", "none", NULL };

        if (g_strv_contains(known, value))
                return 0;
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "There is no compression \"%.40s\": gzip, bzip2, xz, zstd or none", value);
}

int config_check_proxy(const char *value, Error *ret_error) {
        static const char *const schemes[] = { "http://", "https://", "socks5://" };

        for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++) {
                const char *host = value + strlen(schemes[i]);
                size_t n;

                if (!g_str_has_prefix(value, schemes[i]))
                        continue;
                if (strchr(host, '@'))
                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "A proxy's URL has no user and password here: everybody "
                                         "may read it");
                n = strspn(host, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS ".-:[]");
                if (n > 0 && n <= PROXY_HOST_MAX && (!host[n] || g_str_equal(host + n, "/")))
                        return 0;
        }
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "\"%.80s\" is no URL of a proxy, such as http://proxy.example.com:3128: "
                         "http, https or socks5, a host and a port", value);
}

int config_check_proxy_exceptions(const char *value, Error *ret_error) {
        if (strlen(value) <= PROXY_EXCEPTIONS_MAX &&
            !value[strspn(value, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS ".-:[]/*, ")])
                return 0;
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "\"%.80s\" is no list of hosts, domains and addresses, with commas "
                         "between them", value);
}

int config_check_size(const char *value, Error *ret_error) {
        uint64_t unused;

        return size_parse(value, &unused, ret_error);
}

static int check_range(const char *value, uint64_t min, uint64_t max, Error *ret_error) {
        uint64_t unused;

        if (config_parse_integer(value, min, max, &unused) < 0)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%s\" is no whole number from %" G_GUINT64_FORMAT
                                 " to %" G_GUINT64_FORMAT, value, min, max);
        return 0;
}

int config_check_integer(const char *value, Error *ret_error) {
        return check_range(value, 0, INT32_MAX, ret_error);
}

int config_check_id(const char *value, Error *ret_error) {
        return check_range(value, 1, UINT32_MAX - 1, ret_error);
}

int config_check_id_count(const char *value, Error *ret_error) {
        return check_range(value, ID_RANGE_SIZE, UINT32_MAX - 1, ret_error);
}

int config_check_positive(const char *value, Error *ret_error) {
        return check_range(value, 1, INT32_MAX, ret_error);
}

int config_check_priority(const char *value, Error *ret_error) {
        return check_range(value, 0, 10, ret_error);
}

int config_check_number(const char *value, Error *ret_error) {
        uint64_t unused;
        bool negative = value[0] == '-';

        if (config_parse_integer(value + negative, negative, INT32_MAX, &unused) < 0)
                return error_set(ret_error, ERROR_INVALID_CONFIG, "\"%s\" is no whole number",
                                 value);
        return 0;
}

int config_check_mtu(const char *value, Error *ret_error) {
        uint64_t unused;

        if (config_parse_integer(value, 1280, 65535, &unused) < 0)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%s\" is no MTU between 1280 and 65535", value);
        return 0;
}

int config_check_source(const char *value, Error *ret_error) {
        if (*value && *value != '/')
                return config_check_group(value, ret_error);
        return config_check_line(value, ret_error);
}

/* As LVM has it; and no option of its programs. */
int config_check_group(const char *value, Error *ret_error) {
        size_t n = strlen(value);

        if (n > 0 && n <= GROUP_NAME_MAX && *value != '-' && *value != '.' &&
            strspn(value, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "+_.-") == n)
                return 0;
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "\"%.80s\" is neither an absolute path nor a name for LVM: letters, "
                         "digits and \"+_.-\", not more than %d", value, GROUP_NAME_MAX);
}

int config_check_true(const char *value, Error *ret_error) {
        bool on;

        if (config_parse_boolean(value, &on) >= 0 && on)
                return 0;
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "\"%.32s\" cannot be had: volumes of lvm pools are thin", value);
}

int config_check_block_filesystem(const char *value, Error *ret_error) {
        if (g_str_equal(value, "ext4") || g_str_equal(value, "xfs"))
                return 0;
        return error_set(ret_error, ERROR_INVALID_CONFIG, "\"%.32s\" is neither ext4 nor xfs",
                         value);
}

int config_check_block_options(const char *value, Error *ret_error) {
        if (strlen(value) <= BLOCK_OPTIONS_MAX &&
            strspn(value, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "_=,.:-") == strlen(value))
                return 0;
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "\"%.80s\" is no list of options for mounting, separated by commas",
                         value);
}

int config_check_cpus(const char *value, Error *ret_error) {
        g_autoptr(GArray) set = NULL;
        unsigned count;

        if (config_parse_cpus(value, &count, &set) < 0)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%s\" is neither a number of CPUs nor a set of them such as "
                                 "\"1,3\" or \"0-3\"", value);
        return 0;
}

int config_check_allowance(const char *value, Error *ret_error) {
        CpuAllowance unused;

        if (config_parse_allowance(value, &unused) < 0)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%s\" is neither a percentage such as \"50%%\" nor a time such "
                                 "as \"25ms/100ms\"", value);
        return 0;
}

int config_check_memory(const char *value, Error *ret_error) {
        uint64_t unused;

        return config_parse_share(value, 100, &unused, ret_error);
}

int config_check_swap(const char *value, Error *ret_error) {
        uint64_t bytes;
        bool on;

        if (config_parse_boolean(value, &on) >= 0 || size_parse(value, &bytes, NULL) >= 0)
                return 0;
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "\"%s\" is neither true nor false nor a size such as \"1GiB\"", value);
}

int config_check_enforce(const char *value, Error *ret_error) {
        if (!g_str_equal(value, "hard") && !g_str_equal(value, "soft"))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%s\" is not \"hard\" or \"soft\"", value);
        return 0;
}

static bool rlimit_is_valid(const char *value) {
        uint64_t unused;

        return g_str_equal(value, "unlimited") ||
               config_parse_integer(value, 0, UINT64_MAX, &unused) >= 0;
}

int config_check_rlimit(const char *value, Error *ret_error) {
        g_auto(GStrv) parts = g_strsplit(value, ":", 2);

        if (!parts[0] || !rlimit_is_valid(parts[0]) || (parts[1] && !rlimit_is_valid(parts[1])))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%s\" is no number, \"unlimited\" or two of these as "
                                 "\"SOFT:HARD\"", value);
        return 0;
}

int config_check_containers(const char *value, Error *ret_error) {
        g_auto(GStrv) containers = g_strsplit(value, ",", -1);
        int r = 0;

        for (char **name = containers; r >= 0 && *name; name++)
                r = name_check(NAME_CONTAINER, *name, ret_error);
        return r;
}

static bool is_word(const char *s, const char *more) {
        if (!g_ascii_isalnum(*s) && *s != '_')
                return false;
        for (; *s; s++)
                if (!g_ascii_isalnum(*s) && !strchr(more, *s))
                        return false;
        return true;
}

int config_check_modules(const char *value, Error *ret_error) {
        g_auto(GStrv) modules = g_strsplit(value, ",", -1);

        for (char **name = modules; *name; name++)
                if (!is_word(*name, "_-"))
                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "\"%s\" is no name of a kernel module", *name);
        return 0;
}

int config_check_raw_lxc(const char *value, Error *ret_error) {
        int r = config_check_text(value, ret_error);

        return r < 0 ? r : config_parse_raw_lxc(value, NULL, ret_error);
}

int config_check_syscalls(const char *value, Error *ret_error) {
        int r = config_check_text(value, ret_error);

        return r < 0 ? r : syscalls_parse(value, NULL, ret_error);
}

int config_check_seccomp(const char *value, Error *ret_error) {
        int r = config_check_text(value, ret_error);

        return r < 0 || !*value ? r : syscalls_parse_profile(value, NULL, NULL, ret_error);
}

/* --- names --- */

int config_check_variable(const char *name, Error *ret_error) {
        if (!is_word(name, "_") || g_ascii_isdigit(*name))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%s\" is no name of an environment variable", name);
        return 0;
}

int config_check_rlimit_name(const char *name, Error *ret_error) {
        static const char *const names[] = {
                "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice",
                "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack", NULL,
        };

        if (!g_strv_contains(names, name))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "there is no resource limit \"%s\" (see setrlimit(2))", name);
        return 0;
}

/* Only what the kernel keeps apart for each container: others would be the host's. */
int config_check_sysctl_name(const char *name, Error *ret_error) {
        static const char *const prefixes[] = { "net.", "fs.mqueue.", "user.max_" };
        static const char *const names[] = {
                "kernel.domainname", "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni",
                "kernel.msg_next_id", "kernel.sem", "kernel.sem_next_id", "kernel.shmall",
                "kernel.shmmax", "kernel.shmmni", "kernel.shm_next_id",
                "kernel.shm_rmid_forced", NULL,
        };

        if (is_word(name, "_.-/") && !strstr(name, "..") && !strstr(name, "//")) {
                for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++)
                        if (g_str_has_prefix(name, prefixes[i]) && !strchr(name, '/'))
                                return 0;
                if (g_strv_contains(names, name))
                        return 0;
        }
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "\"%s\" is not a kernel setting that each container has for itself "
                         "(net.*, fs.mqueue.*, user.max_*, kernel.shm*, kernel.sem, kernel.msg*)",
                         name);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/syscall-filter.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/syscalls.h"
#include "service/util/cleanup.h"

/* As if the kernel were built without them: programs cope with that. */
#define DENIED_ERRNO ENOSYS

static const char *const denied_calls[] = {
        "delete_module", "finit_module",      "init_module",
        "kexec_load",    "kexec_file_load",   "open_by_handle_at",
};

/* Architectures whose programs the same kernel runs as well. */
static const uint32_t kin[][2] = {
        { SCMP_ARCH_X86_64, SCMP_ARCH_X86 },
        { SCMP_ARCH_X86_64, SCMP_ARCH_X32 },
        { SCMP_ARCH_AARCH64, SCMP_ARCH_ARM },
        { SCMP_ARCH_S390X, SCMP_ARCH_S390 },
        { SCMP_ARCH_PPC64, SCMP_ARCH_PPC },
};

struct SyscallRules {
        bool only;         /* the rules are what is allowed, and nothing else is */
        bool native_only;
        bool keeps_mounts; /* nobody is torn away from a mount by force */
        GArray *rules;     /* SyscallRule */
};

/* --- out of the configuration --- */

static void add_default(SyscallRules *rules) {
        rules->keeps_mounts = true;
        for (size_t i = 0; i < ELEMENTSOF(denied_calls); i++)
                syscalls_add(rules->rules, denied_calls[i], SYSCALL_ERRNO, DENIED_ERRNO);
}

static int add_own(SyscallRules *rules, GVariant *config, Error *ret_error) {
        const char *allow = config_get(config, "security.syscalls.allow");
        const char *deny = config_get(config, "security.syscalls.deny");

        if (allow && *allow) {
                rules->only = true;
                return syscalls_parse(allow, rules->rules, ret_error);
        }
        if (config_get_boolean(config, "security.syscalls.deny_default"))
                add_default(rules);
        return deny ? syscalls_parse(deny, rules->rules, ret_error) : 0;
}

int syscall_rules_new(GVariant *config, SyscallRules **ret, Error *ret_error) {
        g_autoptr(SyscallRules) rules = g_new0(SyscallRules, 1);
        const char *raw = config_get(config, "raw.seccomp");
        int r;

        rules->rules = syscalls_new();
        if (raw && *raw)
                r = syscalls_parse_profile(raw, &rules->only, rules->rules, ret_error);
        else
                r = add_own(rules, config, ret_error);
        if (r < 0)
                return r;
        rules->native_only = config_get_boolean(config, "security.syscalls.deny_compat");
        *ret = TAKE_PTR(rules);
        return 0;
}

SyscallRules *syscall_rules_free(SyscallRules *rules) {
        if (!rules)
                return NULL;

        g_array_unref(rules->rules);
        g_free(rules);
        return NULL;
}

bool syscall_rules_native_only(const SyscallRules *rules) {
        return rules->native_only;
}

static SyscallAction action_of(const SyscallRules *rules, const SyscallRule *rule) {
        if (rule->action != SYSCALL_PLAIN)
                return rule->action;
        return rules->only ? SYSCALL_ALLOW : SYSCALL_KILL;
}

/* --- for liblxc --- */

char *syscall_rules_to_profile(const SyscallRules *rules) {
        GString *profile = g_string_new("2\n");

        g_string_append(profile, rules->only ? "allowlist\n" : "denylist\n");
        if (rules->keeps_mounts)
                g_string_append(profile, "reject_force_umount\n");
        g_string_append(profile, "[all]\n");
        for (guint i = 0; i < rules->rules->len; i++) {
                const SyscallRule *rule = &g_array_index(rules->rules, SyscallRule, i);

                switch (action_of(rules, rule)) {
                case SYSCALL_ERRNO:
                        g_string_append_printf(profile, "%s errno %u", rule->name, rule->errnum);
                        break;
                case SYSCALL_ALLOW:
                        g_string_append_printf(profile, "%s allow", rule->name);
                        break;
                case SYSCALL_KILL:
                case SYSCALL_PLAIN:
                        g_string_append_printf(profile, "%s kill", rule->name);
                        break;
                }
                g_string_append_c(profile, '\n');
        }
        return g_string_free(profile, FALSE);
}

/* --- for libseccomp --- */

static int add_kin(scmp_filter_ctx filter) {
        uint32_t native = seccomp_arch_native();

        for (size_t i = 0; i < ELEMENTSOF(kin); i++) {
                int r;

                if (kin[i][0] != native)
                        continue;
                r = seccomp_arch_add(filter, kin[i][1]);
                if (r < 0 && r != -EEXIST)
                        return r;
        }
        return 0;
}

static int prepare(scmp_filter_ctx filter, bool native_only) {
        int r;

        r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
        if (r >= 0)
                r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(DENIED_ERRNO));
        return r < 0 || native_only ? r : add_kin(filter);
}

static uint32_t number_of_action(SyscallAction action, unsigned errnum) {
        switch (action) {
        case SYSCALL_ALLOW:
                return SCMP_ACT_ALLOW;
        case SYSCALL_ERRNO:
                return SCMP_ACT_ERRNO(errnum);
        case SYSCALL_KILL:
        case SYSCALL_PLAIN:
                return SCMP_ACT_KILL;
        }
        g_assert_not_reached();
}

static int fill(scmp_filter_ctx filter, const SyscallRules *rules) {
        SyscallAction otherwise = rules->only ? SYSCALL_KILL : SYSCALL_ALLOW;
        int r = prepare(filter, rules->native_only);

        for (guint i = 0; r >= 0 && i < rules->rules->len; i++) {
                const SyscallRule *rule = &g_array_index(rules->rules, SyscallRule, i);
                SyscallAction action = action_of(rules, rule);
                int number = seccomp_syscall_resolve_name(rule->name);

                /* A call that libseccomp does not know can't be named; what is done with all calls
                 * needs no rule. */
                if (number != __NR_SCMP_ERROR && action != otherwise)
                        r = seccomp_rule_add(filter, number_of_action(action, rule->errnum), number,
                                             0);
        }
        if (r < 0 || !rules->keeps_mounts)
                return r;
        return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(umount2), 1,
                                SCMP_A1(SCMP_CMP_MASKED_EQ, MNT_FORCE, MNT_FORCE));
}

int syscall_rules_to_filter(const SyscallRules *rules, scmp_filter_ctx *ret, Error *ret_error) {
        scmp_filter_ctx filter = seccomp_init(rules->only ? SCMP_ACT_KILL : SCMP_ACT_ALLOW);
        int r;

        if (!filter)
                return error_set_errno(ret_error, ENOMEM, "Cannot make a filter of system calls");
        r = fill(filter, rules);
        if (r < 0) {
                seccomp_release(filter);
                return error_set_errno(ret_error, -r, "Cannot make a filter of system calls");
        }
        *ret = filter;
        return 0;
}

int syscall_filter_load_native_only(void) {
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
        int r;

        if (!filter)
                return -ENOMEM;
        r = prepare(filter, true);
        if (r >= 0)
                r = seccomp_load(filter);
        seccomp_release(filter);
        return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "service/model/config-value.h"
#include "service/model/config.h"
#include "service/model/limits.h"
#include "service/util/cleanup.h"

void cpu_user_read(GVariant *config, CpuUser *ret) {
        const char *text = config_get(config, "limits.cpu");

        *ret = (CpuUser) { 0 };
        if (text && config_parse_cpus(text, &ret->count, &ret->pinned) < 0)
                *ret = (CpuUser) { 0 };
}

GArray *cpus_parse(const char *list) {
        g_autofree char *text = g_strdup(list);
        unsigned count;
        GArray *cpus;

        g_strstrip(text);
        /* A single number is a CPU here, not a count. */
        if (*text && !strpbrk(text, ",-")) {
                g_autofree char *range = g_strdup_printf("%s-%s", text, text);

                if (config_parse_cpus(range, &count, &cpus) >= 0)
                        return cpus;
        } else if (*text && config_parse_cpus(text, &count, &cpus) >= 0)
                return cpus;
        return g_array_new(FALSE, FALSE, sizeof(unsigned));
}

char *cpus_format(GArray *cpus) {
        GString *text = g_string_new(NULL);

        for (guint i = 0; i < cpus->len; i++) {
                unsigned first = g_array_index(cpus, unsigned, i), last = first;

                while (i + 1 < cpus->len && g_array_index(cpus, unsigned, i + 1) == last + 1)
                        last = g_array_index(cpus, unsigned, ++i);
                g_string_append_printf(text, "%s%u", text->len > 0 ? "," : "", first);
                if (last > first)
                        g_string_append_printf(text, "-%u", last);
        }
        return g_string_free(text, FALSE);
}

typedef struct Cpu {
        unsigned number, pinned, used;
} Cpu;

static int compare_use(const void *a, const void *b) {
        const Cpu *x = a, *y = b;

        if (!x->pinned != !y->pinned)
                return x->pinned ? 1 : -1;
        if (x->used + x->pinned != y->used + y->pinned)
                return x->used + x->pinned < y->used + y->pinned ? -1 : 1;
        return x->number < y->number ? -1 : 1;
}

static int compare_numbers(const void *a, const void *b) {
        unsigned x = *(const unsigned *) a, y = *(const unsigned *) b;

        return x < y ? -1 : x > y;
}

static Cpu *find_cpu(GArray *cpus, unsigned number) {
        for (guint i = 0; i < cpus->len; i++)
                if (g_array_index(cpus, Cpu, i).number == number)
                        return &g_array_index(cpus, Cpu, i);
        return NULL;
}

/* Of the pinned set what the host has; "" when that is nothing: better all CPUs than none. */
static char *pin(GArray *cpus, GArray *pinned) {
        g_autoptr(GArray) set = g_array_new(FALSE, FALSE, sizeof(unsigned));

        for (guint i = 0; i < pinned->len; i++) {
                Cpu *cpu = find_cpu(cpus, g_array_index(pinned, unsigned, i));

                if (!cpu)
                        continue;
                cpu->pinned++;
                g_array_append_val(set, cpu->number);
        }
        return cpus_format(set);
}

static char *take(GArray *cpus, unsigned count) {
        g_autoptr(GArray) set = g_array_new(FALSE, FALSE, sizeof(unsigned));

        if (count == 0 || count >= cpus->len)
                return g_strdup("");
        g_array_sort(cpus, compare_use);
        for (unsigned i = 0; i < count; i++) {
                Cpu *cpu = &g_array_index(cpus, Cpu, i);

                cpu->used++;
                g_array_append_val(set, cpu->number);
        }
        g_array_sort(set, compare_numbers);
        return cpus_format(set);
}

GStrv cpus_balance(GArray *host, const CpuUser *users, size_t n) {
        g_autoptr(GArray) cpus = g_array_new(FALSE, FALSE, sizeof(Cpu));
        GStrv sets = g_new0(char *, n + 1);

        for (guint i = 0; i < host->len; i++) {
                Cpu cpu = { .number = g_array_index(host, unsigned, i) };

                g_array_append_val(cpus, cpu);
        }
        for (size_t i = 0; i < n; i++)
                if (users[i].pinned)
                        sets[i] = pin(cpus, users[i].pinned);
        for (size_t i = 0; i < n; i++)
                if (!users[i].pinned)
                        sets[i] = take(cpus, users[i].count);
        return sets;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/architecture.h"

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <glib.h>

#include "service/util/cleanup.h"

/* <elf.h> of older C libraries lacks it. */
#ifndef EM_LOONGARCH
#define EM_LOONGARCH 258
#endif

typedef struct Architecture {
        const char *name;
        const char *aliases[5];
        uint16_t machine; /* 0: not told apart by its ELF header alone */
        uint8_t class;    /* 0: either */
        uint8_t order;
} Architecture;

static const Architecture architectures[] = {
        { "x86_64", { "amd64", "x86-64" }, EM_X86_64, 0, ELFDATA2LSB },
        { "i686", { "i386", "i486", "i586", "x86" }, EM_386, ELFCLASS32, ELFDATA2LSB },
        { "aarch64", { "arm64" }, EM_AARCH64, 0, ELFDATA2LSB },
        { "armv7l", { "armhf", "armv7", "armv7a" }, EM_ARM, ELFCLASS32, ELFDATA2LSB },
        { "armv6l", { "armel", "armv6" }, 0, 0, 0 },
        { "armv8l", { NULL }, 0, 0, 0 },
        { "ppc", { "powerpc" }, EM_PPC, ELFCLASS32, ELFDATA2MSB },
        { "ppc64", { "powerpc64" }, EM_PPC64, ELFCLASS64, ELFDATA2MSB },
        { "ppc64le", { "ppc64el", "powerpc64le" }, EM_PPC64, ELFCLASS64, ELFDATA2LSB },
        { "s390x", { NULL }, EM_S390, ELFCLASS64, ELFDATA2MSB },
        { "mips", { NULL }, EM_MIPS, ELFCLASS32, 0 },
        { "mips64", { "mips64el" }, EM_MIPS, ELFCLASS64, 0 },
        { "riscv32", { NULL }, EM_RISCV, ELFCLASS32, ELFDATA2LSB },
        { "riscv64", { NULL }, EM_RISCV, ELFCLASS64, ELFDATA2LSB },
        { "loongarch64", { "loong64" }, EM_LOONGARCH, ELFCLASS64, ELFDATA2LSB },
};

static bool architecture_has_name(const Architecture *a, const char *name) {
        if (g_str_equal(a->name, name))
                return true;
        for (size_t i = 0; i < ELEMENTSOF(a->aliases) && a->aliases[i]; i++)
                if (g_str_equal(a->aliases[i], name))
                        return true;
        return false;
}

const char *architecture_from_name(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(architectures); i++)
                if (architecture_has_name(&architectures[i], name))
                        return architectures[i].name;
        return NULL;
}

const char *architecture_from_elf(const void *data, size_t size) {
        const uint8_t *header = data;
        unsigned machine;

        /* Up to e_machine the header is the same for both classes. */
        G_STATIC_ASSERT(offsetof(Elf64_Ehdr, e_machine) + 2 == ARCHITECTURE_ELF_SIZE);
        G_STATIC_ASSERT(offsetof(Elf32_Ehdr, e_machine) + 2 == ARCHITECTURE_ELF_SIZE);

        if (size < ARCHITECTURE_ELF_SIZE || memcmp(header, ELFMAG, SELFMAG) != 0)
                return NULL;
        if (header[EI_DATA] == ELFDATA2MSB)
                machine = (unsigned) header[18] << 8 | header[19];
        else
                machine = (unsigned) header[19] << 8 | header[18];

        for (size_t i = 0; i < ELEMENTSOF(architectures); i++) {
                const Architecture *a = &architectures[i];

                if (a->machine != 0 && a->machine == machine &&
                    (a->class == 0 || a->class == header[EI_CLASS]) &&
                    (a->order == 0 || a->order == header[EI_DATA]))
                        return a->name;
        }
        return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * libFuzzer's program: BERTH_FUZZ_TARGET says which target it is for (tests/fuzz/run sets it).
 */

#include <stdlib.h>

#include "tests/fuzz/target.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const FuzzTarget *target;

__attribute__((visibility("default"))) int LLVMFuzzerInitialize(int *argc, char ***argv) {
        const char *name = getenv("BERTH_FUZZ_TARGET");

        target = name ? fuzz_target_find(name) : NULL;
        if (!target)
                g_error("BERTH_FUZZ_TARGET names no target: %s", name ?: "it is not set");
        fuzz_set_up();
        return 0;
}

__attribute__((visibility("default"))) int LLVMFuzzerTestOneInput(const uint8_t *data,
                                                                  size_t size) {
        target->run(data, size);
        return 0;
}

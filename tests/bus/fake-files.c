/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bus/fake-files.h"

int fake_file_stat(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_variant_dict_insert(result, "type", "s", "directory");
        g_variant_dict_insert(result, "uid", "u", 7U);
        g_variant_dict_insert(result, "surplus", "s", "not told");
        return 0;
}

int fake_file_list(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_variant_dict_insert_value(result, "entries",
                                    g_variant_new_parsed("[('a', 'file'), ('b', 'directory')]"));
        g_variant_dict_insert(result, "complete", "b", TRUE);
        return 0;
}

int fake_usage(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_variant_dict_insert(result, "used", "t", UINT64_C(12345));
        g_variant_dict_insert(result, "size", "t", UINT64_C(0));
        return 0;
}

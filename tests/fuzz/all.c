/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/target.h"

const FuzzTarget fuzz_targets[] = {
        { "archive", fuzz_archive_run, fuzz_archive_seed, 64U << 10 },
        { "config", fuzz_config_run, fuzz_config_seed, 4096 },
        { "description", fuzz_description_run, fuzz_description_seed, 16384 },
        { "device", fuzz_device_run, fuzz_device_seed, 4096 },
        { "entry-name", fuzz_entry_name_run, fuzz_entry_name_seed, 8192 },
        { "expiry", fuzz_expiry_run, fuzz_expiry_seed, 256 },
        { "idmap", fuzz_idmap_run, fuzz_idmap_seed, 4096 },
        { "raw-idmap", fuzz_raw_idmap_run, fuzz_raw_idmap_seed, 1024 },
        { "metadata", fuzz_metadata_run, fuzz_metadata_seed, 16384 },
        { "name", fuzz_name_run, fuzz_name_seed, 256 },
        { "network", fuzz_network_run, fuzz_network_seed, 256 },
        { "os-release", fuzz_os_release_run, fuzz_os_release_seed, 4096 },
        { "pattern", fuzz_pattern_run, fuzz_pattern_seed, 512 },
        { "protocol", fuzz_protocol_run, fuzz_protocol_seed, 16384 },
        { "raw-lxc", fuzz_raw_lxc_run, fuzz_raw_lxc_seed, 4096 },
        { "record", fuzz_record_run, fuzz_record_seed, 16384 },
        { "schedule", fuzz_schedule_run, fuzz_schedule_seed, 512 },
        { "size", fuzz_size_run, fuzz_size_seed, 64 },
        { "template", fuzz_template_run, fuzz_template_seed, 4096 },
        { "user", fuzz_user_run, fuzz_user_seed, 4096 },
        { "yaml", fuzz_yaml_run, fuzz_yaml_seed, 16384 },
        { NULL },
};

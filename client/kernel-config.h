/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The options that the running kernel was built with, from /proc/config.gz or its file in /boot. */

#include <glib.h>

typedef struct KernelConfig KernelConfig;

/* NULL where no such file can be read. */
KernelConfig *kernel_config_read(void);
KernelConfig *kernel_config_from_text(const char *text);
KernelConfig *kernel_config_free(KernelConfig *config);
/* "y", "m", another value, or NULL where it is not set; `option` without "CONFIG_". */
const char *kernel_config_get(const KernelConfig *config, const char *option);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KernelConfig, kernel_config_free)

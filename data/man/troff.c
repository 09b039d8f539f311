/* SPDX-License-Identifier: Apache-2.0 */
#include "data/man/troff.h"

#include <stdio.h>

void troff_print(const char *text) {
        for (const char *p = text; *p; p++)
                if (*p == '\\')
                        fputs("\\e", stdout);
                else if (*p == '-')
                        fputs("\\-", stdout);
                else
                        putchar(*p);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "client/progress.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/format.h"
#include "service/util/cleanup.h"

void progress_init(Progress *p, bool wanted) {
        *p = (Progress) { .enabled = wanted && isatty(STDERR_FILENO) };
}

void progress_draw(Progress *p, const char *stage, double fraction) {
        g_autofree char *text = NULL, *shown = NULL;
        struct winsize size;
        int columns = 80;

        if (!p->enabled || (!*stage && fraction < 0))
                return;
        text = format_printable(stage);
        if (fraction >= 0)
                shown = g_strdup_printf("%s%s%.0f%%", text, *text ? ": " : "",
                                        CLAMP(fraction, 0, 1) * 100);
        else
                shown = g_strdup_printf("%s...", text);
        if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
                columns = size.ws_col;
        /* A line that wraps could not be wiped. */
        if (g_utf8_strlen(shown, -1) >= columns)
                *g_utf8_offset_to_pointer(shown, columns - 1) = 0;
        fprintf(stderr, "\r%s\033[K", shown);
        fflush(stderr);
        p->drawn = true;
}

void progress_wipe(Progress *p) {
        if (!p->drawn)
                return;
        fputs("\r\033[K", stderr);
        fflush(stderr);
        p->drawn = false;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/jail.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/image/jail-inside.h"
#include "tests/unit/jail-fixture.h"
#include "tests/unit/test.h"

static ErrorCode told_code;
static const char *told_message;

static int tell_error(Jail *jail, GVariantDict *result, Error *ret_error) {
        return error_set(ret_error, told_code, "%s", told_message);
}

static int just_fail(Jail *jail, GVariantDict *result, Error *ret_error) {
        return -ENOSPC;
}

TEST(only_plausible_errors_are_believed) {
        g_autoptr(Room) r G_GNUC_UNUSED = room_new();
        g_autofree char *too_long = g_strnfill(4000, 'x');
        const char *const bad[] = { "", "a\x1b[2Jb", "a\nb", too_long };

        told_message = "A sentence";
        for (told_code = 0; told_code < _ERROR_MAX; told_code++) {
                bool is_plausible = told_code == ERROR_INVALID_IMAGE ||
                                    told_code == ERROR_NO_SPACE ||
                                    told_code == ERROR_NOT_SUPPORTED ||
                                    told_code == ERROR_LIMITS_EXCEEDED ||
                                    told_code == ERROR_ACCESS_DENIED ||
                                    told_code == ERROR_FAILED;

                room_refuse(tell_error, is_plausible ? told_code : ERROR_INVALID_IMAGE,
                             is_plausible ? "A sentence" : "makes no sense");
        }
        told_code = ERROR_FAILED;
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                told_message = bad[i];
                room_refuse(tell_error, ERROR_INVALID_IMAGE, "makes no sense");
        }
        room_refuse(just_fail, ERROR_NO_SPACE, "No space left");
}

static GBytes *told_bytes;

static int tell_bytes(Jail *jail, GVariantDict *result, Error *ret_error) {
        gsize size;
        const void *data = g_bytes_get_data(told_bytes, &size);

        if (fd_send(jail->channel_fd, data, size, NULL, 0) < 0)
                return -errno;
        return 0;
}

static GBytes *message_new(const char *text) {
        g_autoptr(GVariant) message = g_variant_ref_sink(g_variant_new_parsed(text));

        g_assert_true(g_variant_is_of_type(message, JAIL_MESSAGE_TYPE));
        return g_variant_get_data_as_bytes(message);
}

/* A result with a boolean that is neither true nor false. */
static GBytes *not_normal(void) {
        g_autoptr(GBytes) sound = message_new("('result', {'x': <true>})");
        gsize size;
        const guint8 *data = g_bytes_get_data(sound, &size);
        g_autofree guint8 *copy = g_memdup2(data, size);
        guint8 *p = memchr(copy, 1, size);

        g_assert_nonnull(p);
        *p = 2;
        return g_bytes_new(copy, size);
}

TEST(only_messages_in_due_form_are_believed) {
        static const char *const bad[] = {
                "('hello', {'fraction': <0.5>})",
                "('error', @a{sv} {})",
                "('error', {'name': <'org.berth1.Error.Failed'>})",
                "('error', {'name': <'org.berth1.Error.None'>, 'message': <'x'>})",
                "('error', {'name': <1>, 'message': <'x'>})",
                "('error', {'name': <'org.berth1.Error.Failed'>, 'message': <['x']>})",
                "('progress', @a{sv} {})",
                "('progress', {'fraction': <1.5>})",
                "('progress', {'fraction': <-0.5>})",
                "('progress', {'fraction': <'x'>})",
                "('ask', {'for': <'more'>})", /* nobody would answer */
        };
        g_autoptr(Room) r G_GNUC_UNUSED = room_new();
        g_autoptr(GVariant) nan = NULL;
        GVariantBuilder builder;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                told_bytes = message_new(bad[i]);
                room_refuse(tell_bytes, ERROR_INVALID_IMAGE, "makes no sense");
                g_bytes_unref(told_bytes);
        }
        g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&builder, "{sv}", "fraction", g_variant_new_double((double) NAN));
        nan = g_variant_ref_sink(g_variant_new("(sa{sv})", "progress", &builder));
        told_bytes = g_variant_get_data_as_bytes(nan);
        room_refuse(tell_bytes, ERROR_INVALID_IMAGE, "makes no sense");
        g_bytes_unref(told_bytes);

        told_bytes = not_normal();
        room_refuse(tell_bytes, ERROR_INVALID_IMAGE, "makes no sense");
        g_bytes_unref(told_bytes);
        told_bytes = g_bytes_new("\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9);
        room_refuse(tell_bytes, ERROR_INVALID_IMAGE, "makes no sense");
        g_bytes_unref(told_bytes);
        told_bytes = g_bytes_new_take(g_malloc0(150 << 10), 150 << 10);
        room_refuse(tell_bytes, ERROR_INVALID_IMAGE, "makes no sense");
        g_clear_pointer(&told_bytes, g_bytes_unref);
}

static int leave_without_a_word(Jail *jail, GVariantDict *result, Error *ret_error) {
        _exit(0);
}

static int crash(Jail *jail, GVariantDict *result, Error *ret_error) {
        abort();
}

/* Ends the channel, and goes on for good. */
static int hang_up(Jail *jail, GVariantDict *result, Error *ret_error) {
        char byte;

        (void) close(jail->channel_fd);
        while (read(jail->input_fd, &byte, 1) >= 0)
                ;
        return 0;
}

TEST(a_process_that_goes_silently_is_seen_off) {
        g_autoptr(Room) r = room_new();
        g_auto(Error) error = ERROR_INIT;
        int never[2];

        room_refuse(leave_without_a_word, ERROR_INVALID_IMAGE, "makes no sense");
        room_refuse(crash, ERROR_INVALID_IMAGE, "ended by signal");
        g_assert_cmpint(pipe2(never, O_CLOEXEC), ==, 0);
        g_assert_null(room_run(hang_up, never[0], r->root_fd, true, &error));
        g_assert_cmpint(error.code, ==, ERROR_INVALID_IMAGE);
        (void) close(never[0]);
        (void) close(never[1]);
}

int main(void) {
        if (geteuid() != 0) {
                printf("SKIP: a jail can be made by root only\n");
                return 77;
        }
        return test_run();
}

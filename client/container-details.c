/* SPDX-License-Identifier: Apache-2.0 */
#include "client/container-details.h"

#include "service/util/cleanup.h"

/* Calls under way at a time; the service has a limit for each user. */
#define CALLS_MAX 32

static const struct {
        const char *member, *reply_type;
        bool expanded;
} questions[] = {
        [DETAIL_STATE] = { "GetState", "(a{sv})", false },
        [DETAIL_DISK] = { "GetDiskUsage", "(a{sv})", false },
        [DETAIL_CONFIG] = { "GetConfig", "(a{ss})", false },
        [DETAIL_EXPANDED_CONFIG] = { "GetConfig", "(a{ss})", true },
        [DETAIL_DEVICES] = { "GetDevices", "(a{sa{ss}})", false },
        [DETAIL_EXPANDED_DEVICES] = { "GetDevices", "(a{sa{ss}})", true },
};
G_STATIC_ASSERT(G_N_ELEMENTS(questions) == _DETAIL_MAX);

void container_details_clear(gpointer details) {
        ContainerDetails *d = details;

        for (size_t i = 0; i < _DETAIL_MAX; i++)
                g_clear_pointer(&d->answers[i], g_variant_unref);
}

static int ask_some(Client *c, ContainerDetails *some, size_t n, Detail detail, Error *ret_error) {
        Call calls[CALLS_MAX];
        int r;

        for (size_t i = 0; i < n; i++) {
                GVariantDict options;

                g_variant_dict_init(&options, NULL);
                if (questions[detail].expanded)
                        g_variant_dict_insert(&options, "expanded", "b", TRUE);
                calls[i] = (Call) {
                        .path = some[i].container->path,
                        .interface = object_kind_to_interface(OBJECT_CONTAINER),
                        .member = questions[detail].member,
                        .arguments = g_variant_new("(@a{sv})", g_variant_dict_end(&options)),
                };
        }
        r = connection_call_many(c->connection, calls, n, ret_error);
        for (size_t i = 0; i < n; i++) {
                GVariant *reply = calls[i].reply;

                if (reply && g_variant_is_of_type(
                                     reply, (const GVariantType *) questions[detail].reply_type))
                        some[i].answers[detail] = g_variant_get_child_value(reply, 0);
                call_done(&calls[i]);
        }
        return r;
}

int container_details_ask(Client *c, GArray *all, Detail detail, Error *ret_error) {
        ContainerDetails *details = (ContainerDetails *) (void *) all->data;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < all->len; i += CALLS_MAX)
                r = ask_some(c, details + i, MIN(CALLS_MAX, all->len - i), detail, ret_error);
        return r;
}

bool container_details_number(const ContainerDetails *d, Detail detail, const char *key,
                              uint64_t *ret) {
        g_autoptr(GVariant) value = NULL;

        if (d->answers[detail])
                value = g_variant_lookup_value(d->answers[detail], key, NULL);
        if (!value)
                return false;
        if (g_variant_is_of_type(value, G_VARIANT_TYPE_UINT64))
                *ret = g_variant_get_uint64(value);
        else if (g_variant_is_of_type(value, G_VARIANT_TYPE_UINT32))
                *ret = g_variant_get_uint32(value);
        else
                return false;
        return true;
}

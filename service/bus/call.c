/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/call.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "service/bus/decision.h"
#include "service/bus/message.h"
#include "service/bus/path.h"
#include "service/model/config.h"
#include "service/operation/settings.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"

BusCall *bus_call_free(BusCall *call) {
        if (!call)
                return NULL;

        if (bus_call_is_asking(call))
                bus_call_withdraw(call);
        if (call->sender)
                g_ptr_array_remove(call->sender->calls, call);
        g_ptr_array_remove(call->bus->waiting, call);
        sd_bus_message_unref(call->message);
        g_clear_pointer(&call->args, g_variant_unref);
        g_clear_pointer(&call->options, g_variant_unref);
        g_clear_pointer(&call->asked_details, g_variant_unref);
        if (call->reply)
                g_variant_unref(g_variant_ref_sink(call->reply));
        g_clear_pointer(&call->fds, g_array_unref);
        for (size_t i = 0; i < call->n_reply_fds; i++)
                fd_close(call->reply_fds[i]);
        g_free(call->asked_action);
        g_free(call->cancellation_id);
        g_free(call->waits_for);
        g_free(call->asks_for);
        g_free(call);
        return NULL;
}

/* --- the end of a call --- */

void bus_call_reply(BusCall *call, GVariant *reply) {
        g_autoptr(sd_bus_message) message = NULL;
        g_autoptr(GVariant) tuple = reply ? g_variant_ref_sink(reply) : NULL;
        int r;

        call->reply = NULL;
        r = sd_bus_message_new_method_return(call->message, &message);
        if (r >= 0 && tuple)
                r = message_append_body(message, tuple, call->reply_fds);
        if (r >= 0)
                r = sd_bus_send(NULL, message, NULL);
        if (r < 0)
                log_warning("Cannot reply to %s: %s", call->method->name, g_strerror(-r));
        (void) bus_call_free(call);
}

void bus_call_reply_done(BusCall *call, const Job *job) {
        GVariant *warnings = NULL;

        if (g_str_equal(call->method->out, "as"))
                warnings = g_variant_new_strv((const char *const *) job->warnings->pdata,
                                              job->warnings->len);
        bus_call_reply(call, warnings ? g_variant_new("(@as)", warnings) : NULL);
}

void bus_call_fail(BusCall *call, const Error *error) {
        g_auto(sd_bus_error) e = SD_BUS_ERROR_NULL;

        (void) sd_bus_error_set(&e, error_code_to_name(error->code), error->message);
        (void) sd_bus_reply_method_error(call->message, &e);
        (void) bus_call_free(call);
}

gint32 bus_call_add_fd(BusCall *call, int fd) {
        g_assert(call->n_reply_fds < ELEMENTSOF(call->reply_fds));
        call->reply_fds[call->n_reply_fds] = fd;
        return (gint32) call->n_reply_fds++;
}

int bus_call_get_fd(const BusCall *call, gint32 handle) {
        if (handle < 0 || (guint) handle >= call->fds->len)
                return -EBADF;
        return g_array_index(call->fds, int, handle);
}

const char *bus_call_get_compression(const BusCall *call, const char *setting) {
        GVariant *config = settings_get_config(call->manager->settings);

        return option_get_string(call->options, "compression",
                                 config_get(config, setting) ?: "gzip");
}

Caller bus_call_caller(const BusCall *call) {
        return (Caller) { call->sender->uid, call->sender->name,
                          call->sender->uid == 0 ? PRIVILEGE_HOST : call->privilege };
}

void bus_call_detail(BusCall *call, const char *key, const char *value) {
        g_variant_dict_insert(call->details, key, "s", value);
}

void bus_call_require(BusCall *call, const PrivilegeChange *change) {
        call->privilege = change->privilege;
        if (change->keys)
                bus_call_detail(call, "keys", change->keys);
        if (change->devices)
                bus_call_detail(call, "devices", change->devices);
        if (change->privilege == PRIVILEGE_USE)
                return;
        /* The classes in between are about what is one's own: for somebody else's container only
         * the strongest action says that its holder may do as he likes. */
        call->own_action = privilege_to_string(change->privilege);
        call->action = call->access == BUS_OWNER ? privilege_to_string(PRIVILEGE_HOST)
                                                 : call->own_action;
}

void bus_call_require_for_profile(BusCall *call, const PrivilegeChange *change) {
        const char *action = call->action;

        bus_call_require(call, change);
        if (change->privilege < PRIVILEGE_HOST) {
                call->action = action;
                call->privilege = PRIVILEGE_KERNEL_SURFACE;
        }
}

void bus_call_require_beside(BusCall *call, const PrivilegeChange *change) {
        const char *action = call->action;

        bus_call_require(call, change);
        if (change->privilege < PRIVILEGE_HOST)
                call->action = action;
}

int bus_call_start_job(BusCall *call, Job *job) {
        g_autofree char *path = bus_path_of(OBJECT_JOB, job->object.name);

        job_start(job);
        call->reply = g_variant_new("(o)", path);
        return 0;
}

int bus_call_start_job_with_fd(BusCall *call, Job *job, int fd) {
        g_autofree char *path = bus_path_of(OBJECT_JOB, job->object.name);

        job_start(job);
        call->reply = g_variant_new("(oh)", path, bus_call_add_fd(call, fd));
        return 0;
}

int bus_call_make_pipe(int *ret_read_end, int *ret_write_end, Error *ret_error) {
        int pair[2];

        if (pipe2(pair, O_CLOEXEC) < 0)
                return error_set_errno(ret_error, errno, "Cannot make a pipe");
        *ret_read_end = pair[0];
        *ret_write_end = pair[1];
        return 0;
}

int bus_call_await_job(BusCall *call, const Job *job) {
        call->waits_for = g_strdup(job->object.name);
        g_ptr_array_add(call->bus->waiting, call);
        return BUS_CALL_DEFERRED;
}

int bus_call_wait_for_job(BusCall *call, Job *job) {
        job_start(job);
        return bus_call_await_job(call, job);
}

int bus_call_wait_for_warnings(BusCall *call, Job *job) {
        if (job)
                return bus_call_wait_for_job(call, job);
        call->reply = g_variant_new("(@as)", g_variant_new_strv(NULL, 0));
        return 0;
}

/* --- authorization --- */

/* "container" etc.: what rules and prompts know the object by. */
static void add_object_details(BusCall *call) {
        static const char *const keys[] = {
                [OBJECT_CONTAINER] = "container", [OBJECT_IMAGE] = "image",
                [OBJECT_PROFILE] = "profile",     [OBJECT_NETWORK] = "network",
                [OBJECT_POOL] = "pool",           [OBJECT_SNAPSHOT] = "snapshot",
                [OBJECT_JOB] = "job",             [OBJECT_VOLUME] = "volume",
        };
        g_autofree char *owner = NULL, *container = NULL, *pool = NULL;

        bus_call_detail(call, "verb", call->method->name);
        if (!call->object)
                return;
        owner = g_strdup_printf("%u", call->object->owner);
        if (call->object->kind == OBJECT_SNAPSHOT) {
                container = snapshot_get_container((Snapshot *) call->object);
                bus_call_detail(call, "container", container);
                bus_call_detail(call, "snapshot", snapshot_get_name((Snapshot *) call->object));
        } else if (call->object->kind == OBJECT_VOLUME) {
                pool = storage_volume_get_pool((StorageVolume *) call->object);
                bus_call_detail(call, "pool", pool);
                bus_call_detail(call, "volume",
                                storage_volume_get_name((StorageVolume *) call->object));
        } else
                bus_call_detail(call, keys[call->object->kind], call->object->name);
        bus_call_detail(call, "owner", owner);
}

static Container *container_of(const BusCall *call) {
        if (!call->object)
                return NULL;
        if (call->object->kind == OBJECT_SNAPSHOT)
                return manager_get_container_of(call->manager, (Snapshot *) call->object);
        return call->object->kind == OBJECT_CONTAINER ? (Container *) call->object : NULL;
}

/* What lets its caller into a container is a verb like others for the owner, and one that looks
 * inside for everybody else. Where the container is privileged, it lets him at the host. */
static void require_for_entering(BusCall *call) {
        Container *c = container_of(call);
        const char *host = privilege_to_string(PRIVILEGE_HOST);

        if (!c || call->access != BUS_OWNER || g_strcmp0(call->method->own_action, "use") != 0 ||
            g_strcmp0(call->method->action, "enter") != 0 ||
            !container_is_privileged(call->manager, c))
                return;
        call->own_action = call->action = host;
        call->privilege = PRIVILEGE_HOST;
        if (!g_variant_dict_contains(call->details, "keys"))
                bus_call_detail(call, "keys", "security.privileged");
}

/* NULL: nobody need be asked. */
static const char *needed_action(const BusCall *call) {
        bool own = call->object && call->object->owner == call->sender->uid;

        switch (call->access) {
        case BUS_PUBLIC:
                return NULL;
        case BUS_ACTION:
                return call->action;
        case BUS_OWNER:
                return own ? call->own_action : call->action;
        case _BUS_ACCESS_UNSET:
                break;
        }
        g_assert_not_reached();
}

/* 1: act, 0: polkit is being asked. */
static int authorize(BusCall *call, Error *ret_error) {
        const char *action = needed_action(call);
        g_autofree char *message = NULL;
        g_autoptr(GVariant) details = NULL;
        uint64_t generation = call->object ? call->object->generation : 0;

        if (!action)
                return 1;
        if (call->sender->uid == 0) {
                decision_record(call, DECISION_GRANTED, action, "root is not asked");
                return 1;
        }
        message = g_strdup_printf("Authentication is required to %s", call->prompt);
        bus_call_detail(call, "polkit.message", message);
        bus_call_detail(call, "polkit.gettext_domain", "berth");
        details = g_variant_ref_sink(g_variant_dict_end(call->details));

        if (!call->asked_action) {
                call->asked_action = g_strdup(action);
                call->asked_details = g_variant_ref(details);
                call->asked_generation = generation;
                return bus_call_ask(call, action, details, ret_error);
        }
        if (!call->granted || !g_str_equal(call->asked_action, action) ||
            !g_variant_equal(call->asked_details, details) || call->asked_generation != generation)
                return error_set(ret_error, ERROR_ACCESS_DENIED,
                                 "What was to be authorized has changed meanwhile; call again");
        decision_record(call, DECISION_GRANTED, action, NULL);
        return 1;
}

/* --- one pass --- */

static int find_object(BusCall *call, Error *ret_error) {
        const char *path = sd_bus_message_get_path(call->message);

        if (call->class->kind == _OBJECT_KIND_MAX)
                return 0;
        call->object = bus_path_find(call->manager, path);
        if (!call->object || call->object->kind != call->class->kind)
                return error_set(ret_error, (ErrorCode) object_error_missing(call->class->kind),
                                 "There is no %s at %s any more",
                                 object_kind_to_noun(call->class->kind), path);
        call->has_owner = true;
        call->owner_uid = call->object->owner;
        return 0;
}

static int read_args(BusCall *call, Error *ret_error) {
        gsize n;
        int r;

        g_clear_pointer(&call->args, g_variant_unref);
        g_clear_pointer(&call->options, g_variant_unref);
        g_array_set_size(call->fds, 0);
        r = message_read_body(call->message, call->fds, &call->args);
        if (r < 0)
                return error_set(ret_error, ERROR_INVALID_ARGS, "The message cannot be read");
        n = g_variant_n_children(call->args);
        if (!g_str_has_suffix(call->method->in, "a{sv}"))
                return 0;
        call->options = g_variant_get_child_value(call->args, n - 1);
        return options_check(call->options, call->method->options, ret_error);
}

static int run_once(BusCall *call, Error *ret_error) {
        GVariantDict details;
        int r;

        g_variant_dict_init(&details, NULL);
        call->details = &details;
        call->access = call->method->access;
        call->own_action = call->method->own_action;
        call->action = call->method->action;
        call->prompt = call->method->prompt;
        call->privilege = PRIVILEGE_USE;
        r = find_object(call, ret_error);
        if (r >= 0)
                r = read_args(call, ret_error);
        if (r >= 0) {
                add_object_details(call);
                r = call->method->prepare ? call->method->prepare(call, ret_error) : 0;
        }
        if (r >= 0) {
                require_for_entering(call);
                r = authorize(call, ret_error);
        }
        g_variant_dict_clear(&details);
        call->details = NULL;
        if (r <= 0)
                return r < 0 ? r : BUS_CALL_DEFERRED;
        return call->method->act(call, ret_error);
}

void bus_call_run(BusCall *call) {
        g_auto(Error) error = ERROR_INIT;
        int r;

        if (!call->sender) { /* it left; nobody is there to act for */
                (void) bus_call_free(call);
                return;
        }
        call->caller_uid = call->sender->uid;
        r = run_once(call, &error);
        if (r == BUS_CALL_DEFERRED)
                return;
        if (r < 0) {
                (void) error_set_errno(&error, -r, "%s failed", call->method->name);
                if (error.code == ERROR_ACCESS_DENIED || error.code == ERROR_AUTH_REQUIRED)
                        decision_record(call, DECISION_DENIED, call->asked_action, error.message);
                bus_call_fail(call, &error);
                return;
        }
        bus_call_reply(call, TAKE_PTR(call->reply));
}

/* --- its beginning --- */

static BusCall *call_new(BusSender *sender, sd_bus_message *message) {
        BusCall *call = g_new0(BusCall, 1);
        const char *interface = sd_bus_message_get_interface(message);

        call->bus = sender->bus;
        call->manager = sender->bus->manager;
        call->message = sd_bus_message_ref(message);
        call->sender = sender;
        call->caller_uid = sender->uid;
        call->fds = g_array_new(FALSE, FALSE, sizeof(int));
        call->method = bus_method_find(interface, sd_bus_message_get_member(message));
        g_assert(call->method);
        for (const BusClass *const *class = bus_classes(); *class; class++)
                if (g_str_equal((*class)->interface, interface))
                        call->class = *class;
        g_ptr_array_add(sender->calls, call);
        return call;
}

int bus_call_dispatch(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Bus *bus = userdata;
        BusSender *sender = bus_sender_find(bus, message);
        BusCall *call;

        if (!sender) /* it came past bus_sender_on_message(), or has left */
                return -EACCES;
        if (sender->calls->len >= CALLS_PENDING_MAX)
                return sd_bus_error_setf(error, error_code_to_name(ERROR_LIMITS_EXCEEDED),
                                         "%u calls of yours are waiting already",
                                         sender->calls->len);

        call = call_new(sender, message);
        if (sender->known) {
                bus_sender_has_called(sender);
                bus_call_run(call);
        } else {
                g_auto(Error) denied = ERROR_INIT;

                (void) error_set(&denied, ERROR_ACCESS_DENIED,
                                 "The bus does not say who is calling");
                decision_record(call, DECISION_DENIED, NULL, denied.message);
                bus_call_fail(call, &denied);
        }
        return 1;
}

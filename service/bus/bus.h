/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The service on the bus. Classes of objects are const tables (BusClass): one row a method, one a
 * property. A method's row holds its signature, who may call it, and what it does; there is one
 * dispatcher, which reads the call, finds object and row, settles authorization, and only then acts
 * (service/bus/call.c). A method without a settled row cannot be registered.
 *
 * Objects change through the Manager; what changed is collected and announced in one signal an
 * object when the event loop has nothing better to do.
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "service/bus/options.h"
#include "service/operation/container.h"
#include "service/operation/manager.h"
#include "service/util/fair-queue.h"
#include "service/util/places.h"

/* Without a running container, a job or a client that called, the service ends after this. */
#define BUS_IDLE_USEC (30 * G_USEC_PER_SEC)

typedef struct Bus Bus;
typedef struct BusCall BusCall;
typedef struct BusClass BusClass;
typedef struct BusMethod BusMethod;
typedef struct BusProperty BusProperty;
typedef struct BusSignal BusSignal;

/* Who may call a method; the value 0 is "nobody has thought about it" and is refused. */
typedef enum BusAccess {
        _BUS_ACCESS_UNSET,
        BUS_PUBLIC,  /* everybody, without a question */
        BUS_ACTION,  /* who polkit grants `action` */
        BUS_OWNER,   /* on one's own object who is granted `own_action` (NULL: the owner, without a
                        question), on others' who is granted `action` */
} BusAccess;

struct BusMethod {
        const char *name;
        const char *in, *out; /* signatures; `in` ends in a{sv} wherever there are options */
        const char *names;    /* SD_BUS_PARAM() of each argument, in then out */
        BusAccess access;
        const char *own_action, *action; /* last part of a polkit action */
        const char *prompt;   /* "start the container $(container)": completes polkit's question */
        const Option *options;
        /* Looks at the arguments before anybody is asked: may refuse, add details for polkit, or
         * set call->access and its actions where they depend on the arguments. Must change
         * nothing; it runs again after the answer. May be NULL. */
        int (*prepare)(BusCall *call, Error *ret_error);
        /* Does it. Returns 0 (call->reply, floating, or NULL for none), BUS_CALL_DEFERRED, or
         * -errno. */
        int (*act)(BusCall *call, Error *ret_error);
};

enum { BUS_CALL_DEFERRED = 1 };

struct BusProperty {
        const char *name;
        const char *signature;
        uint64_t flags; /* SD_BUS_VTABLE_PROPERTY_… */
        GVariant *(*get)(Bus *bus, Object *o); /* floating or full */
};

struct BusSignal {
        const char *name, *signature, *names;
};

struct BusClass {
        ObjectKind kind;              /* _OBJECT_KIND_MAX for the root object */
        const char *interface;
        const BusMethod *methods;     /* each table ends with a NULL name */
        const BusProperty *properties;
        const BusSignal *signals;
        sd_bus_vtable *vtable;        /* made from the tables when registered */
};

extern BusClass bus_class_manager, bus_class_container, bus_class_image, bus_class_profile,
        bus_class_network, bus_class_pool, bus_class_volume, bus_class_snapshot, bus_class_job;

struct Bus {
        sd_bus *bus;
        sd_event *event;
        Manager *manager;
        GHashTable *announced;        /* Object: InterfacesAdded was sent */
        GHashTable *told;             /* Object -> digest of what was told of it last */
        GHashTable *changed;          /* Object: something is to be announced */
        gint64 changed_since;         /* the first of them; on the monotonic clock */
        sd_event_source *changed_source, *idle_source;
        GHashTable *senders;          /* unique name -> BusSender */
        unsigned n_callers, n_asked;  /* of them: that the service stays for, whose uid is asked */
        FairQueue *messages;          /* sd_bus_message that waits for its turn */
        sd_event_source *turn_source; /* while there are any */
        sd_bus_message *turn;         /* the one that sd-bus has got back */
        unsigned n_read;              /* messages since then */
        Places *questions;            /* to polkit; BusCall */
        GPtrArray *waiting;           /* BusCall of Job.Wait() */
        struct HostNetwork *host_network;
        bool is_named; /* before that nobody listens, and no signal is sent */
        bool ending;
};

/* Connects, exports everything, and becomes the Manager's observer. The name is not taken yet. */
int bus_new(sd_event *event, Manager *manager, Bus **ret, Error *ret_error);
Bus *bus_free(Bus *bus);
/* Takes the name: from now on calls come. */
int bus_take_name(Bus *bus, Error *ret_error);

const BusClass *const *bus_classes(void); /* ends with NULL */
const BusMethod *bus_method_find(const char *interface, const char *member);

/* Announces what has changed, now. */
void bus_flush(Bus *bus);
/* The same, where the loop has had no rest to do it in for a while. */
void bus_flush_late(Bus *bus);
/* Something has ended or begun: see whether there is still a reason to stay. */
void bus_check_idle(Bus *bus);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Bus, bus_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_bus, sd_bus_flush_close_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_bus_message, sd_bus_message_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_event, sd_event_unref)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(sd_bus_error, sd_bus_error_free)

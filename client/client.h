/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One run of the client: the command that was chosen, its arguments and options, and the
 * connection to the service, which is made when it is first needed.
 *
 * Commands are const tables (struct Command). Parsing, help, usage errors and shell completion all
 * come from them.
 */

#include <stdbool.h>

#include <glib.h>

#include "client/connection.h"
#include "client/object.h"
#include "service/util/error.h"

typedef struct Client Client;

typedef struct Option {
        const char *name;     /* long name; NULL ends a table */
        char letter;          /* short name or 0 */
        const char *argument; /* what it takes, for the help; NULL for a flag */
        const char *help;     /* NULL: not offered, refused with `refusal` */
        const char *refusal;
} Option;

typedef struct Command {
        const char *name;    /* NULL ends a table */
        const char *aliases; /* other names, separated by blanks */
        const char *usage;   /* arguments, such as "<container>..." */
        const char *help;    /* one line; NULL hides the command */
        const Option *options;
        /* What completes each argument, one letter each, the last one for all that follow:
         * c container, h container or snapshot, i image, p profile, n network, s storage pool,
         * j job, f file, e file in a container, k configuration key of a container, l of a
         * profile, m of a network, r of a volume, t type of device, o "KEY=" of the type before,
         * v volume of the pool before, w POOL/VOLUME, - nothing */
        const char *complete;
        int min_arguments;
        int max_arguments; /* -1 without bound */
        /* The number of arguments after which everything is taken as it is, options too; 0 for a
         * command that has no such tail. */
        int tail_after;
        const struct Command *children;
        /* Returns the exit status, or -errno with the error set. */
        int (*run)(Client *client, Error *ret_error);
        const char *refusal; /* why there is no such command, and what there is instead */
} Command;

typedef struct OptionValue {
        const Option *option;
        const char *value; /* NULL for a flag */
} OptionValue;

struct Client {
        const Command *root;
        const Command *command;
        char *command_path;  /* such as "berth config set" */
        GPtrArray *arguments;
        GArray *options;     /* OptionValue */
        bool debug;
        bool quiet;
        bool verbose;
        bool no_ask_password;
        Connection *connection;
};

Client *client_new(const Command *root);
Client *client_free(Client *c);

/* Finds the command in argv, reads its options and checks the number of arguments. Returns 1 when
 * there is a command to run, 0 when help or version was printed. */
int client_parse(Client *c, int argc, char **argv, Error *ret_error);
/* The options that every command takes. */
extern const Option client_global_options[];
/* --format for verbs that list, and for those that show one object. */
extern const Option client_list_options[];
extern const Option client_show_options[];

size_t client_n_arguments(const Client *c);
/* NULL beyond the last one. */
const char *client_argument(const Client *c, size_t i);
bool client_flag(const Client *c, const char *name);
/* Value of the last one given, or NULL. */
const char *client_option(const Client *c, const char *name);
/* All values given, borrowed strings. */
GPtrArray *client_options(const Client *c, const char *name);

/* An error in what was typed: the message is followed by how the command is used. */
int client_usage_error(Error *ret_error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* "local:NAME" and "NAME" are NAME; every other remote is refused. */
int client_object_name(const char *argument, char **ret, Error *ret_error);
/* The same and the object's path. */
int client_object_path(ObjectKind kind, const char *argument, char **ret, Error *ret_error);

int client_connect(Client *c, Error *ret_error);
/* connection_call() on the object's own interface; a reply that is not of `reply_type` (a tuple) is
 * an error. */
int client_call(Client *c, ObjectKind kind, const char *path, const char *member,
                GVariant *arguments, const char *reply_type, GVariant **ret_reply,
                Error *ret_error);
/* The service's objects of one kind, sorted by name, with those of their properties that are named;
 * NULL: all of them. */
int client_get_objects(Client *c, ObjectKind kind, const char *const *properties, GPtrArray **ret,
                       Error *ret_error);
/* One object with its properties. */
int client_get_object(Client *c, ObjectKind kind, const char *path, Object **ret,
                      Error *ret_error);
/* An image by alias or fingerprint. */
int client_get_image_path(Client *c, const char *argument, char **ret, Error *ret_error);

/* A line on standard output, unless --quiet. */
void client_say(const Client *c, const char *format, ...) G_GNUC_PRINTF(2, 3);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Client, client_free)

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Configuration of containers, profiles, networks and pools: what `config`, `profile`, `network`
 * and `storage` have in common. The first argument of each verb is the object.
 *
 * A change that depends on what was read before carries the revision that was read, so that a
 * change by somebody else in between is noticed instead of lost.
 */

#include "client/client.h"

typedef enum SettingsFlags {
        SETTINGS_EXPANDED = 1 << 0, /* containers: with what the profiles add */
        SETTINGS_SECRETS = 1 << 1,  /* profiles: with values that may be secrets */
} SettingsFlags;

typedef struct Settings {
        Object *object;
        GVariant *config;  /* a{ss} */
        GVariant *devices; /* a{sa{ss}}; empty for kinds that have none */
} Settings;

int settings_read(Client *c, ObjectKind kind, const char *path, SettingsFlags flags,
                  Settings **ret, Error *ret_error);
void settings_free(Settings *s);

/* Calls Update() and prints what it warns of. NULL stands for "nothing to set", "nothing to unset",
 * "no options"; floating values are consumed. */
int settings_update(Client *c, ObjectKind kind, const char *path, GVariant *set, GVariant *unset,
                    GVariant *options, Error *ret_error);
/* The object in the form in which it is shown and edited (a{sv}). */
GVariant *settings_to_record(const Settings *s);

/* What has to be set and unset to come from a config that was read to one that is wanted. */
void settings_compare(GVariant *old, GVariant *new, GVariant **ret_set, GVariant **ret_unset);

/* KEY VALUE or KEY=VALUE... from argument `first` on, a{ss}; a value of "-" is read from standard
 * input. */
int settings_parse_assignments(Client *c, size_t first, GVariant **ret, Error *ret_error);
/* "container/c1" for each path (as). */
GVariant *settings_used_by(const Object *o);

/* The verbs on an object that is not the first argument; assignments begin at argument `first`. */
int settings_show(Client *c, ObjectKind kind, const char *path, Error *ret_error);
int settings_get(Client *c, ObjectKind kind, const char *path, const char *key, Error *ret_error);
int settings_set(Client *c, ObjectKind kind, const char *path, size_t first, Error *ret_error);
int settings_edit(Client *c, ObjectKind kind, const char *path, Error *ret_error);
/* The verbs on the one that is. */
int settings_run_show(Client *c, ObjectKind kind, Error *ret_error);
int settings_run_get(Client *c, ObjectKind kind, Error *ret_error);
int settings_run_set(Client *c, ObjectKind kind, Error *ret_error);
int settings_run_unset(Client *c, ObjectKind kind, Error *ret_error);
int settings_run_edit(Client *c, ObjectKind kind, Error *ret_error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Settings, settings_free)

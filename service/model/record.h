/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Reading and writing the fields of records (a{sv}). Getters replace *value (freeing what is
 * there) and return -EBADMSG where the field is missing or of another type. */

#include "service/model/object.h"
#include "service/model/privilege.h"

void record_put_object(GVariantDict *dict, const Object *o);
int record_get_object(GVariant *record, Object *o);

/* The class that was granted; PRIVILEGE_USE where an older service wrote none. */
void record_put_privilege(GVariantDict *dict, Privilege granted);
int record_get_privilege(GVariant *record, Privilege *value);

int record_get_string(GVariant *record, const char *key, char **value);
int record_get_variant(GVariant *record, const char *key, const GVariantType *type,
                       GVariant **value);
int record_get_strv(GVariant *record, const char *key, char ***value);
int record_get_uint64(GVariant *record, const char *key, uint64_t *value);
int record_get_uint32(GVariant *record, const char *key, uint32_t *value);
int record_get_boolean(GVariant *record, const char *key, bool *value);
int record_get_enum(GVariant *record, const char *key, const char *const *names, int n, int *value);

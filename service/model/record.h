/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Reading and writing the fields of records (a{sv}). A record is read through a GVariantDict of it,
 * which looks at each field once; thousands are read at every start. Getters replace *value
 * (freeing what is there) and return -EBADMSG where the field is missing or of another type. */

#include "service/model/object.h"
#include "service/model/privilege.h"

void record_put_object(GVariantDict *dict, const Object *o);
int record_get_object(GVariantDict *record, Object *o);

/* The class that was granted; PRIVILEGE_USE where an older service wrote none. */
void record_put_privilege(GVariantDict *dict, Privilege granted);
int record_get_privilege(GVariantDict *record, Privilege *value);

int record_get_string(GVariantDict *record, const char *key, char **value);
int record_get_variant(GVariantDict *record, const char *key, const GVariantType *type,
                       GVariant **value);
int record_get_strv(GVariantDict *record, const char *key, char ***value);
int record_get_uint64(GVariantDict *record, const char *key, uint64_t *value);
int record_get_uint32(GVariantDict *record, const char *key, uint32_t *value);
int record_get_boolean(GVariantDict *record, const char *key, bool *value);
/* "templates" of an image or a container. */
int record_get_templates(GVariantDict *record, GVariant **value);
int record_get_enum(GVariantDict *record, const char *key, const char *const *names, int n,
                    int *value);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Reading and writing the fields of records (a{sv}). Thousands are read at every start, so that a
 * record is opened, which takes it apart once. Getters replace *value (freeing what is there) and
 * return -EBADMSG where the field is missing or of another type. */

#include "service/model/object.h"
#include "service/model/privilege.h"

typedef struct Record Record;

/* `fields` is kept. */
Record *record_open(GVariant *fields);
void record_close(Record *record);
bool record_has(const Record *record, const char *key);

void record_put_object(GVariantDict *dict, const Object *o);
int record_get_object(const Record *record, Object *o);

/* The class that was granted; PRIVILEGE_USE where an older service wrote none. */
void record_put_privilege(GVariantDict *dict, Privilege granted);
int record_get_privilege(const Record *record, Privilege *value);

int record_get_string(const Record *record, const char *key, char **value);
int record_get_variant(const Record *record, const char *key, const GVariantType *type,
                       GVariant **value);
int record_get_strv(const Record *record, const char *key, char ***value);
int record_get_uint64(const Record *record, const char *key, uint64_t *value);
int record_get_uint32(const Record *record, const char *key, uint32_t *value);
int record_get_boolean(const Record *record, const char *key, bool *value);
/* The same for what earlier services wrote nothing of: then it is false. */
int record_get_later(const Record *record, const char *key, bool *value);
/* "templates" of an image or a container. */
int record_get_templates(const Record *record, GVariant **value);
int record_get_enum(const Record *record, const char *key, const char *const *names, int n,
                    int *value);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Record, record_close)

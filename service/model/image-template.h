/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Templates of an image, which become those of each container made from it: texts that files
 * inside are made from. One list holds them: an entry is a text under its own name ("file") and
 * what is made from it; a text that nothing is made from has an entry without a path, and one that
 * several files are made from an entry for each, with the same content.
 */

#include <stdbool.h>

#include <glib.h>

#include "service/util/error.h"

/* path ("" for none), file, content, when, properties, create-only */
#define IMAGE_TEMPLATES_SIGNATURE "a(sssasa{ss}b)"
#define IMAGE_TEMPLATES_TYPE ((const GVariantType *) IMAGE_TEMPLATES_SIGNATURE)
/* By path: file, when, properties, create-only. */
#define IMAGE_TEMPLATE_RULES_TYPE ((const GVariantType *) "a{s(sasa{ss}b)}")

#define IMAGE_TEMPLATES_MAX 256U
#define IMAGE_TEMPLATE_MAX (64U << 10)
/* All that is told about an image together: properties, templates and their content. It leaves
 * room in PROTOCOL_MESSAGE_MAX for the rest of a worker's result. */
#define IMAGE_DESCRIPTION_MAX (120U << 10)
#define IMAGE_TEMPLATE_PATH_MAX 4095U

/* Whether it may be where a file is made, the name of a text, one of the words of "when". */
bool image_template_path_is_valid(const char *path);
bool image_template_file_is_valid(const char *name);
bool image_template_when_is_valid(const char *word);

/* References, empty. */
GVariant *image_templates_empty(void);
/* What a record holds, in the form of today: texts had no names once. NULL for anything else. */
GVariant *image_templates_upgrade(GVariant *recorded);

/* Names of the texts, each once, sorted (as, floating). */
GVariant *image_templates_get_files(GVariant *templates);
/* Content of a text, NULL where there is none. Borrowed. */
const char *image_templates_get(GVariant *templates, const char *file);
/* The list with that text, new or in the place of the old one. */
int image_templates_set(GVariant *templates, const char *file, const char *content,
                        GVariant **ret, Error *ret_error);
/* The list without it, and without what is made from it. */
GVariant *image_templates_remove(GVariant *templates, const char *file);
/* What is made from them (IMAGE_TEMPLATE_RULES_TYPE, floating). */
GVariant *image_templates_get_rules(GVariant *templates);
/* The same texts, with that made from them and nothing else. */
int image_templates_set_rules(GVariant *templates, GVariant *rules, GVariant **ret,
                              Error *ret_error);

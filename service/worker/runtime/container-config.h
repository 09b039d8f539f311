/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The configuration file of a container for liblxc. It is what liblxc runs as root, so the keys
 * are all written down in container-config.c and every value goes through one writer, which
 * refuses control characters: no value can begin a line of its own.
 */

#include <stdbool.h>

#include <glib.h>

#include "service/model/idmap.h"
#include "service/util/error.h"
#include "service/worker/runtime/cgroup.h"

typedef struct ContainerConfig {
        const char *name;
        const char *rootfs; /* absolute path */
        bool idmapped;
        bool restored;      /* its processes are not new, see criu.h */
        const char *architecture;
        const IdMap *idmap;
        GVariant *nics;        /* aa{ss}: name, host_name, hwaddr, parent, mtu */
        const GPtrArray *mounts; /* values of lxc.mount.entry, of device_stage() */
        GVariant *config;      /* a{ss}, the expanded configuration */
        GPtrArray *limits;     /* pairs of key and value, see limits.h */

        const char *directory;     /* absolute path: where the profile is */
        const char *seccomp_file;  /* absolute path */
        const char *log_file;      /* absolute path */
        const char *console_log;   /* absolute path */
        const char *stopped_hook;  /* command line to run when it has ended */
        bool apparmor;             /* the host has AppArmor on */
        const CgroupHost *cgroups;
} ContainerConfig;

/* A name that is safe as a path component, a host name and a group's name. */
bool container_name_is_valid(const char *name);
/* An absolute path of our own choosing: letters, digits and "/._+-" only, so that neither liblxc
 * (which splits some values at colons) nor a shell sees more in it than a path. */
bool container_path_is_plain(const char *path);

/* For the files that this one is split into: adds a line. */
int container_config_add(GString *text, const char *key, const char *value, Error *ret_error);
/* Adds what keys of the configuration ask for; raw.lxc comes last. */
int container_config_add_keys(GString *text, const ContainerConfig *config, Error *ret_error);

/* The text of the file, or an error that names the value which can't be in one. */
int container_config_format(const ContainerConfig *config, char **ret, Error *ret_error);

/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "client/archive.h"
#include "client/job.h"
#include "client/volume.h"
#include "service/util/cleanup.h"

#define LOCAL_ONLY "berth works on this machine only"

const Option volume_export_options[] = {
        { "compression", 0, "NAME",
          "gzip, bzip2, xz, zstd or none (default: backups.compression_algorithm)", NULL },
        { "volume-only", 0, NULL, "Without the snapshots", NULL },
        { "optimized-storage", 0, NULL, NULL, "archives are of files, for every storage driver" },
        { "target", 0, "MEMBER", NULL, LOCAL_ONLY },
        { NULL },
};

const Option volume_import_options[] = {
        { "target", 0, "MEMBER", NULL, LOCAL_ONLY },
        { NULL },
};

int volume_run_export(Client *c, Error *ret_error) {
        const char *target = client_argument(c, 2);
        g_autofree char *path = NULL, *file = NULL;
        int r = volume_path_of_arguments(c, &path, NULL, ret_error);

        if (r < 0)
                return r;
        if (target && g_str_equal(target, "-")) {
                if (isatty(STDOUT_FILENO))
                        return client_usage_error(ret_error,
                                                  "Cannot export a volume to a terminal");
                return archive_write_to_fd(c, OBJECT_VOLUME, path, "Export",
                                           archive_export_options(c, "volume-only"), STDOUT_FILENO,
                                           ret_error);
        }
        file = g_strdup(target ?: "backup.tar.gz"); /* lxc's default */
        r = archive_write_to_file(c, OBJECT_VOLUME, path, "Export",
                                  archive_export_options(c, "volume-only"), file, ret_error);
        if (r >= 0)
                client_say(c, "Backup exported successfully!");
        return r;
}

static int start_import(Client *c, const char *pool, const char *name, int archive, Relay *relay,
                        Job **ret, Error *ret_error) {
        int fd, r;

        if (archive_is_passable(archive))
                return job_start(c, OBJECT_POOL, pool, "ImportVolume",
                                 g_variant_new("(hsa{sv})", archive, name, NULL), ret, ret_error);
        r = job_start(c, OBJECT_POOL, pool, "OpenVolumeImport",
                      g_variant_new("(sa{sv})", name, NULL), ret, ret_error);
        if (r < 0)
                return r;
        if (!g_variant_is_of_type(job_get_reply(*ret), G_VARIANT_TYPE("(oh)")))
                return error_set(ret_error, ERROR_FAILED, "The service gave no pipe");
        g_variant_get(job_get_reply(*ret), "(oh)", NULL, &fd);
        relay_add(relay, archive, false, fd, true);
        return 0;
}

int volume_run_import(Client *c, Error *ret_error) {
        _cleanup_close_ int archive = -EBADF;
        g_autofree char *pool = NULL, *name = NULL;
        g_autoptr(Relay) relay = relay_new();
        g_autoptr(Job) job = NULL;
        int r;

        r = client_object_path(OBJECT_POOL, client_argument(c, 0), &pool, ret_error);
        if (r >= 0 && client_argument(c, 2))
                r = client_object_name(client_argument(c, 2), &name, ret_error);
        if (r >= 0)
                r = archive_open(client_argument(c, 1), "a volume", &archive, ret_error);
        if (r >= 0)
                r = start_import(c, pool, name ?: "", archive, relay, &job, ret_error);
        if (r < 0)
                return r;
        job_set_relay(job, relay);
        return job_wait(job, ret_error);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/archive.h"
#include "client/commands.h"
#include "client/job.h"
#include "client/service-settings.h"
#include "client/snapshot.h"
#include "service/util/cleanup.h"

const Option container_export_options[] = {
        { "compression", 0, "NAME",
          "gzip, bzip2, xz, zstd or none (default: backups.compression_algorithm)", NULL },
        { "instance-only", 0, NULL, "Without the snapshots", NULL },
        { "optimized-storage", 0, NULL, NULL,
          "an archive can be imported into every kind of pool" },
        { NULL },
};

const Option container_import_options[] = {
        { "storage", 's', "POOL", "Put its root disk on this storage pool", NULL },
        { NULL },
};

/* NAME.tar.gz and the like, where no file is given. */
static char *default_file(Client *c, const char *path) {
        static const char *const extensions[][2] = {
                { "none", "tar" }, { "gzip", "tar.gz" }, { "bzip2", "tar.bz2" },
                { "xz", "tar.xz" }, { "zstd", "tar.zst" },
        };
        const char *compression = client_option(c, "compression"), *extension = "tar.gz";
        g_autoptr(GVariant) settings = NULL;
        g_autofree char *name = NULL;

        if (!compression && service_settings_read(c, &settings, NULL) >= 0)
                (void) g_variant_lookup(settings, "backups.compression_algorithm", "&s",
                                        &compression);
        if (!compression)
                compression = "gzip";

        for (size_t i = 0; i < ELEMENTSOF(extensions); i++)
                if (g_str_equal(extensions[i][0], compression))
                        extension = extensions[i][1];
        (void) object_parse_path(path, NULL, &name);
        return g_strconcat(name, ".", extension, NULL);
}

int run_export(Client *c, Error *ret_error) {
        const char *target = client_argument(c, 1);
        g_autofree char *path = NULL, *file = NULL;
        ObjectKind kind;
        int r;

        r = client_instance_path(client_argument(c, 0), &kind, &path, ret_error);
        if (r < 0)
                return r;
        if (kind == OBJECT_SNAPSHOT)
                return client_usage_error(ret_error, "A snapshot goes with its container; 'berth "
                                                     "publish' makes an image of one");
        if (target && g_str_equal(target, "-")) {
                if (isatty(STDOUT_FILENO))
                        return client_usage_error(ret_error,
                                                  "Cannot export a container to a terminal");
                return archive_write_to_fd(c, kind, path, "Export",
                                           archive_export_options(c, "instance-only"),
                                           STDOUT_FILENO, ret_error);
        }
        file = target ? g_strdup(target) : default_file(c, path);
        r = archive_write_to_file(c, kind, path, "Export",
                                  archive_export_options(c, "instance-only"), file, ret_error);
        if (r < 0)
                return r;
        client_say(c, "Backup exported successfully!");
        return 0;
}

static GVariant *import_options_to_variant(Client *c) {
        GVariantDict options;

        g_variant_dict_init(&options, NULL);
        if (client_option(c, "storage"))
                g_variant_dict_insert(&options, "pool", "s", client_option(c, "storage"));
        return g_variant_dict_end(&options);
}

/* What an archive asks for is known when its beginning has been read, and a second try would find
 * the rest: of a pipe, and of a file too, whose position is everybody's who has the fd. */
static int import_passed(Client *c, const char *name, int archive, Job **ret, Error *ret_error) {
        bool is_input = g_str_equal(client_argument(c, 0), "-");
        int r = client_connect(c, ret_error);

        if (r >= 0)
                r = connection_ask_at_once(c->connection,
                                           is_input ? AGENT_ON_ANY_TERMINAL : AGENT_ON_INPUT,
                                           ret_error);
        if (r < 0)
                return r;
        return job_start(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "ImportContainer",
                         g_variant_new("(hs@a{sv})", archive, name, import_options_to_variant(c)),
                         ret, ret_error);
}

static int start_import(Client *c, const char *name, int archive, Relay *relay, Job **ret,
                        Error *ret_error) {
        int fd, r;

        if (archive_is_passable(archive))
                return import_passed(c, name, archive, ret, ret_error);
        r = job_start(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "OpenContainerImport",
                      g_variant_new("(s@a{sv})", name, import_options_to_variant(c)), ret,
                      ret_error);
        if (r < 0)
                return r;
        if (!g_variant_is_of_type(job_get_reply(*ret), G_VARIANT_TYPE("(oh)")))
                return error_set(ret_error, ERROR_FAILED, "The service gave no pipe");
        g_variant_get(job_get_reply(*ret), "(oh)", NULL, &fd);
        relay_add(relay, archive, false, fd, true);
        return 0;
}

int run_import(Client *c, Error *ret_error) {
        _cleanup_close_ int archive = -EBADF;
        g_autoptr(Relay) relay = relay_new();
        g_autofree char *name = NULL;
        g_autoptr(Job) job = NULL;
        int r = 0;

        if (client_argument(c, 1))
                r = client_object_name(client_argument(c, 1), &name, ret_error);
        if (r >= 0)
                r = archive_open(client_argument(c, 0), "a container", &archive, ret_error);
        if (r >= 0)
                r = start_import(c, name ?: "", archive, relay, &job, ret_error);
        if (r < 0)
                return r;
        job_set_relay(job, relay);
        r = job_wait(job, ret_error);
        job_print_warnings(job);
        return r;
}

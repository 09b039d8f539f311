/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/download/download.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/model/catalogue.h"
#include "service/model/image-server.h"
#include "service/model/name.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/download/directory.h"
#include "service/worker/download/http.h"
#include "service/worker/download/list.h"
#include "service/worker/download/simplestreams.h"
#include "service/worker/image/archive-file.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/jail.h"
#include "service/worker/image/spool.h"
#include "service/worker/image/text.h"

#define CERTIFICATES_MAX (4U << 20)
#define NAME_FILE_MAX (1U << 20)
/* Lists, as text. Those of the large servers are some megabytes. */
#define LIST_MAX (16U << 20)

/* All that the jail is to know. */
typedef struct Download {
        const char *url;
        ImageServerProtocol protocol;
        uint64_t size_max;
        const char *architecture;
        const char *proxy, *direct; /* as in http.h */
        GBytes *certificates;
        struct Claiming *claiming; /* of an archive; the parent's */
} Download;

/* --- inside the jail --- */

static void on_progress(void *userdata, uint64_t size, uint64_t total) {
        if (total > 0)
                jail_report_progress(userdata, (double) size / (double) total);
}

static int fetch_text(const Download *download, const char *path, GBytes **ret, Error *ret_error) {
        g_autofree char *url = g_strconcat(download->url, "/", path, NULL);
        const HttpFetch fetch = {
                .url = url,
                .certificates = download->certificates,
                .proxy = download->proxy,
                .direct = download->direct,
                .size_max = LIST_MAX,
        };

        return http_fetch_text(&fetch, ret, ret_error);
}

static int list_simplestreams(const Download *download, List *list, Error *ret_error) {
        g_autoptr(GPtrArray) paths = NULL;
        g_autoptr(GBytes) index = NULL;
        int r;

        r = fetch_text(download, "streams/v1/index.json", &index, ret_error);
        if (r >= 0)
                r = simplestreams_parse_index(g_bytes_get_data(index, NULL),
                                              g_bytes_get_size(index), &paths, ret_error);
        if (r < 0)
                return r;
        for (guint i = 0; i < paths->len; i++) {
                g_autoptr(GBytes) text = NULL;

                r = fetch_text(download, paths->pdata[i], &text, ret_error);
                if (r >= 0)
                        r = simplestreams_parse_products(g_bytes_get_data(text, NULL),
                                                         g_bytes_get_size(text), list, ret_error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int list_directory(const Download *download, List *list, Error *ret_error) {
        g_autoptr(GBytes) text = NULL;
        int r = fetch_text(download, "SHA256SUMS", &text, ret_error);

        if (r < 0)
                return r;
        return directory_parse(g_bytes_get_data(text, NULL), g_bytes_get_size(text), list,
                               ret_error);
}

static int list_in_jail(Jail *jail, GVariantDict *result, Error *ret_error) {
        const Download *download = jail->userdata;
        g_autoptr(List) list = list_new();
        g_autoptr(GVariant) catalogue = NULL;
        int r;

        r = download->protocol == IMAGE_SERVER_DIRECTORY ?
                    list_directory(download, list, ret_error) :
                    list_simplestreams(download, list, ret_error);
        if (r < 0)
                return r;
        catalogue = list_end(list);
        return fd_write_all(jail->input_fd, g_variant_get_data(catalogue),
                            g_variant_get_size(catalogue));
}

static int locate_in_jail(Jail *jail, GVariantDict *result, Error *ret_error) {
        const Download *download = jail->userdata;
        const HttpFetch fetch = {
                .url = download->url,
                .certificates = download->certificates,
                .proxy = download->proxy,
                .direct = download->direct,
                .size_max = 0,
        };
        g_autofree char *wanted = g_strconcat("LXD-Server-Architectures: ", download->architecture,
                                              NULL);
        const char *const more[] = { wanted, "LXD-Server-Version: 5.0", NULL };
        HttpHeader headers[] = { { "LXD-Image-URL" }, { "LXD-Image-Hash" }, { NULL } };
        int r = http_fetch_headers(&fetch, more, headers, ret_error);

        if (r < 0)
                return r;
        for (HttpHeader *header = headers; header->name; header++)
                if (header->value && text_is_printable(header->value))
                        g_variant_dict_insert(result, header->name, "s", header->value);
        return 0;
}

/* An archive that comes, and how long its file may be so far. */
typedef struct Coming {
        Jail *jail;
        uint64_t room;
} Coming;

static void on_archive_progress(void *userdata, uint64_t size, uint64_t total) {
        const Coming *coming = userdata;

        on_progress(coming->jail, size, total);
}

/* Whoever is told no is ended: it does not return then. */
static void make_room(void *userdata, uint64_t size) {
        g_auto(GVariantDict) question = G_VARIANT_DICT_INIT(NULL);
        Coming *coming = userdata;
        int fd;

        if (size <= coming->room)
                return;
        coming->room = spool_next(size);
        g_variant_dict_insert(&question, "room", "t", coming->room);
        (void) jail_ask(coming->jail, g_variant_dict_end(&question), &fd);
}

static int fetch_in_jail(Jail *jail, GVariantDict *result, Error *ret_error) {
        const Download *download = jail->userdata;
        Coming coming = { .jail = jail };
        const HttpFetch fetch = {
                .url = download->url,
                .certificates = download->certificates,
                .proxy = download->proxy,
                .direct = download->direct,
                .size_max = download->size_max,
                .progress = on_archive_progress,
                .make_room = make_room,
                .userdata = &coming,
        };
        int r = http_fetch_to_fd(&fetch, jail->input_fd, ret_error);
        off_t size;

        if (r < 0)
                return r;
        size = lseek(jail->input_fd, 0, SEEK_CUR);
        return size < 0 || ftruncate(jail->input_fd, size) < 0 ? -errno : 0;
}

/* --- outside --- */

/* Files of the host that say how names of hosts are looked up; one that is not there is none. */
static void read_name_files(JailFile *files, size_t n) {
        size_t k = 0;

        for (size_t i = 0; i < n; i++) {
                _cleanup_close_ int fd = open(files[i].path, O_RDONLY | O_CLOEXEC);

                if (fd >= 0 && fd_read_all(fd, NAME_FILE_MAX, &files[k].content) >= 0)
                        files[k++].path = files[i].path;
        }
        files[k].path = NULL;
}

/* The certificates that the host trusts, or those that the administrator has given instead. */
static int read_certificates(GBytes **ret, Error *ret_error) {
        static const char *const paths[] = {
                /* One path: NOLINTNEXTLINE(bugprone-suspicious-missing-comma) */
                BERTH_CONFIG_DIR "/certificates.pem",
                "/etc/ssl/certs/ca-certificates.crt",
                "/etc/pki/tls/certs/ca-bundle.crt",
                "/etc/ssl/ca-bundle.pem",
                "/etc/ssl/cert.pem",
        };

        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                _cleanup_close_ int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
                int r;

                if (fd < 0 && errno == ENOENT)
                        continue;
                r = fd < 0 ? -errno : fd_read_all(fd, CERTIFICATES_MAX, ret);
                if (r < 0)
                        return error_set_errno(ret_error, -r, "Cannot read %s", paths[i]);
                return 0;
        }
        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                         "This machine has no certificates to know servers by; install the package "
                         "ca-certificates");
}

/* The file that an archive comes to, as the parent knows it. */
typedef struct Claiming {
        Spool spool;
        int fd;
} Claiming;

static int answer_room(Worker *worker, GVariant *question, void *userdata, const char **stage,
                       int *ret_fd, Error *ret_error) {
        const Claiming *claiming = userdata;
        guint64 size;

        if (!g_variant_lookup(question, "room", "t", &size) || size > spool_next(IMAGE_ARCHIVE_MAX))
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "Downloading asked for what is not to be had");
        return spool_claim(&claiming->spool, claiming->fd, size, ret_error);
}

static int download_run(Worker *worker, Download *download, JailFunc func, int fd,
                        const char *stage, GVariant **ret_answer, Error *ret_error) {
        JailFile files[] = {
                { "/etc/resolv.conf" }, { "/etc/hosts" }, { "/etc/nsswitch.conf" },
                { "/etc/host.conf" }, { "/etc/gai.conf" }, { NULL },
        };
        const JailSpec spec = {
                .func = func,
                .userdata = download,
                .task = "Downloading",
                .input_fd = fd,
                .root_fd = -EBADF,
                .network = true,
                .files = files,
                .stage = stage,
                .answer = download->claiming ? answer_room : NULL,
                .answer_userdata = download->claiming,
        };
        g_autoptr(GVariant) answer = NULL;
        int r;

        (void) g_variant_lookup(worker->args, "proxy", "&s", &download->proxy);
        (void) g_variant_lookup(worker->args, "proxy-except", "&s", &download->direct);
        r = read_certificates(&download->certificates, ret_error);
        if (r < 0)
                return r;
        read_name_files(files, ELEMENTSOF(files) - 1);
        r = jail_run(&spec, worker, &answer, ret_error);
        for (JailFile *file = files; file->path; file++)
                g_bytes_unref(file->content);
        g_clear_pointer(&download->certificates, g_bytes_unref);
        if (r >= 0 && ret_answer)
                *ret_answer = TAKE_PTR(answer);
        return r;
}

/* What the jail wrote, as far as it is a catalogue; with a name, the one image of that name. */
static int take_catalogue(Worker *worker, int fd, GVariant **ret, Error *ret_error) {
        g_autoptr(GVariant) catalogue = NULL;
        g_autoptr(GBytes) bytes = NULL;
        int r;

        if (lseek(fd, 0, SEEK_SET) < 0)
                return -errno;
        r = fd_read_all(fd, CATALOGUE_MAX, &bytes);
        if (r == -E2BIG)
                return error_set(ret_error, ERROR_LIMITS_EXCEEDED,
                                 "The list of the image server is too large");
        if (r < 0)
                return r;
        catalogue = g_variant_ref_sink(g_variant_new_from_bytes(CATALOGUE_TYPE, bytes, FALSE));
        if (!g_variant_is_normal_form(catalogue))
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The image server's catalogue is not acceptable");
        r = catalogue_check(catalogue, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(catalogue);
        return 0;
}

/* The part of it that was asked for. */
static int select_image(Worker *worker, GVariant *catalogue, GVariant **ret, Error *ret_error) {
        g_autoptr(GVariant) wanted = g_variant_lookup_value(worker->args, "image",
                                                            G_VARIANT_TYPE_STRING);
        g_autoptr(GVariant) image = NULL;
        const char *architecture, *name;
        int r;

        if (!wanted) {
                *ret = g_variant_ref(catalogue);
                return 0;
        }
        name = g_variant_get_string(wanted, NULL);
        r = worker_get_string(worker, "architecture", &architecture, ret_error);
        if (r < 0)
                return r;
        image = catalogue_find(catalogue, name, architecture);
        if (!image)
                return error_set(ret_error, ERROR_NO_SUCH_IMAGE,
                                 "The image server has no image \"%.80s\" for %s", name,
                                 architecture);
        *ret = g_variant_ref_sink(g_variant_new_array(CATALOGUE_IMAGE_TYPE, &image, 1));
        return 0;
}

/* Where the caller has something to fall back on, that is no error. */
static int tolerate(Worker *worker, int r, GVariantDict *result, Error *error) {
        gboolean tolerant = FALSE;

        (void) g_variant_lookup(worker->args, "tolerant", "b", &tolerant);
        if (!tolerant || (error->code != ERROR_BACKEND_FAILED && error->code != ERROR_TIMED_OUT))
                return r;
        g_variant_dict_insert(result, "unreachable", "s", error->message);
        error_clear(error);
        return 0;
}

static int give_catalogue(Worker *worker, int fd, Error *ret_error) {
        g_autoptr(GVariant) catalogue = NULL, selected = NULL;
        g_autoptr(GBytes) bytes = NULL;
        int r;

        r = take_catalogue(worker, fd, &catalogue, ret_error);
        if (r >= 0)
                r = select_image(worker, catalogue, &selected, ret_error);
        if (r < 0)
                return r;
        bytes = g_variant_get_data_as_bytes(selected);
        r = fd_new_memfd("berth-catalogue", bytes);
        if (r < 0)
                return r;
        worker_add_result_fd(worker, r);
        return 0;
}

int download_list(Worker *worker, GVariantDict *result, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        Download download = { 0 };
        const char *protocol;
        int r;

        r = worker_get_string(worker, "url", &download.url, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "protocol", &protocol, ret_error);
        if (r >= 0)
                r = image_server_check_url(download.url, ret_error);
        if (r < 0)
                return r;
        download.protocol = image_server_protocol_from_string(protocol);
        fd = memfd_create("berth-list", MFD_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = download_run(worker, &download, list_in_jail, fd, "asking the image server", NULL,
                         ret_error);
        return r < 0 ? tolerate(worker, r, result, ret_error) :
                       give_catalogue(worker, fd, ret_error);
}

/* A URL of the server's choice is held to the same as one of a user's. */
static int take_location(GVariant *answer, const char *url, GVariantDict *result,
                         Error *ret_error) {
        const char *hash = "";
        int r;

        (void) g_variant_lookup(answer, "LXD-Image-URL", "&s", &url);
        (void) g_variant_lookup(answer, "LXD-Image-Hash", "&s", &hash);
        if (*hash && !name_is_fingerprint(hash))
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The server says a SHA-256 of the image that is none");
        r = image_server_check_url(url, ret_error);
        if (r < 0)
                return r;
        g_variant_dict_insert(result, "url", "s", url);
        g_variant_dict_insert(result, "hash", "s", hash);
        return 0;
}

int download_locate(Worker *worker, GVariantDict *result, Error *ret_error) {
        _cleanup_close_ int fd = memfd_create("berth-nothing", MFD_CLOEXEC);
        g_autoptr(GVariant) answer = NULL;
        Download download = { 0 };
        int r;

        if (fd < 0)
                return -errno;
        r = worker_get_string(worker, "url", &download.url, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "architecture", &download.architecture, ret_error);
        if (r >= 0)
                r = image_server_check_url(download.url, ret_error);
        if (r >= 0)
                r = download_run(worker, &download, locate_in_jail, fd, "asking the image server",
                                 &answer, ret_error);
        return r < 0 ? r : take_location(answer, download.url, result, ret_error);
}

int download_fetch(Worker *worker, GVariantDict *result, Error *ret_error) {
        _cleanup_close_ int fd = worker_take_fd(worker, 0);
        g_autoptr(ArchiveFile) file = NULL;
        Claiming claiming = { .fd = fd };
        Download download = { .claiming = &claiming };
        uint64_t size;
        int r;

        r = worker_get_string(worker, "url", &download.url, ret_error);
        if (r >= 0)
                r = worker_get_uint64(worker, "size", &size, ret_error);
        if (r >= 0)
                r = image_server_check_url(download.url, ret_error);
        if (r >= 0)
                r = archive_file_find(worker, "spool", &file, ret_error);
        if (r >= 0)
                r = spool_read(worker, archive_file_get_dir(file), &claiming.spool, ret_error);
        if (r < 0)
                return r;
        download.size_max = size > 0 ? MIN(size, IMAGE_ARCHIVE_MAX) : IMAGE_ARCHIVE_MAX;
        return download_run(worker, &download, fetch_in_jail, fd, "downloading", NULL, ret_error);
}

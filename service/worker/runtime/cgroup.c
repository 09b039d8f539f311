/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "service/worker/scope.h"

#define CGROUP_FILE_MAX (1U << 20)
/* Below a container's group its root makes groups as it likes. */
#define CGROUP_DEPTH_MAX 128

static void hierarchy_free(void *p) {
        CgroupHierarchy *h = p;

        g_free(h->controllers);
        g_free(h->base);
        fd_close(h->fd);
        g_free(h);
}

CgroupHost *cgroup_host_free(CgroupHost *host) {
        if (!host)
                return NULL;
        g_ptr_array_unref(host->hierarchies);
        g_free(host);
        return NULL;
}

int cgroup_read_file(int dir_fd, const char *name, char **ret) {
        _cleanup_close_ int fd = path_open_beneath(dir_fd, name, O_RDONLY, 0);

        return fd < 0 ? fd : fd_read_text(fd, CGROUP_FILE_MAX, ret);
}

/* A line of /proc/PID/cgroup: "NUMBER:CONTROLLERS:/PATH". The path may hold colons. */
static bool split_line(char *line, const char **ret_controllers, const char **ret_path) {
        char *first = strchr(line, ':');
        char *second = first ? strchr(first + 1, ':') : NULL;

        if (!second || second[1] != '/')
                return false;
        *second = '\0';
        *ret_controllers = first + 1;
        *ret_path = second + 2;
        return true;
}

static bool has_option(const char *options, const char *wanted) {
        g_auto(GStrv) list = g_strsplit(options, ",", -1);

        return g_strv_contains((const char *const *) list, wanted);
}

/* Opens the mount point of a hierarchy, found in the lines of /proc/self/mountinfo. */
static int open_mount(char **mounts, const char *controllers) {
        g_auto(GStrv) names = g_strsplit(controllers, ",", 2);

        for (char **line = mounts; *line; line++) {
                /* ... (4) mount point ... "-" type source options-of-the-superblock */
                const char *dash = strstr(*line, " - ");
                g_auto(GStrv) left = NULL, right = NULL;
                g_autofree char *point = NULL;
                int fd;

                if (!dash)
                        continue;
                right = g_strsplit(dash + strlen(" - "), " ", 3);
                if (g_strv_length(right) < 3)
                        continue;
                if (*controllers == '\0' ? !g_str_equal(right[0], "cgroup2")
                                         : !g_str_equal(right[0], "cgroup") ||
                                                   !has_option(right[2], names[0]))
                        continue;
                left = g_strsplit(*line, " ", 6);
                if (g_strv_length(left) < 6 || !g_str_equal(left[3], "/"))
                        continue;
                point = g_strcompress(left[4]); /* blanks are octal escapes there */
                fd = path_open_dir(point);
                if (fd >= 0)
                        return fd;
        }
        return -ENOENT;
}

/* With systemd as init, its group is "/init.scope" of where all others are. */
static char *init_base(const char *path) {
        if (g_str_equal(path, "init.scope"))
                return g_strdup("");
        if (g_str_has_suffix(path, "/init.scope"))
                return g_strndup(path, strlen(path) - strlen("/init.scope"));
        return g_strdup(path);
}

static int read_lines(const char *path, GStrv *ret) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        g_autofree char *text = NULL;
        int r;

        if (fd < 0)
                return -errno;
        r = fd_read_text(fd, CGROUP_FILE_MAX, &text);
        if (r < 0)
                return r;
        *ret = g_strsplit(text, "\n", -1);
        return 0;
}

int cgroup_host_new(CgroupHost **ret, Error *ret_error) {
        g_autoptr(CgroupHost) host = g_new0(CgroupHost, 1);
        g_auto(GStrv) lines = NULL, mounts = NULL;
        int r;

        host->hierarchies = g_ptr_array_new_with_free_func(hierarchy_free);
        r = read_lines("/proc/1/cgroup", &lines);
        if (r >= 0)
                r = read_lines("/proc/self/mountinfo", &mounts);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot read how control groups are mounted");

        for (char **line = lines; *line; line++) {
                const char *controllers, *path;
                CgroupHierarchy *h;
                int fd;

                if (!split_line(*line, &controllers, &path))
                        continue;
                fd = open_mount(mounts, controllers);
                if (fd < 0)
                        continue; /* not mounted: nobody's, liblxc does not use it either */
                h = g_new(CgroupHierarchy, 1);
                *h = (CgroupHierarchy) { g_strdup(controllers), init_base(path), fd, false };
                g_ptr_array_add(host->hierarchies, h);
                if (*controllers == '\0')
                        host->unified = h;
        }
        if (host->hierarchies->len == 0)
                return error_set(
                        ret_error, ERROR_NOT_SUPPORTED,
                        "No control groups are mounted on this host; containers need them");
        if (cgroup_host_is_pure_unified(host))
                host->unified->scopes = scope_has_systemd();
        *ret = TAKE_PTR(host);
        return 0;
}

bool cgroup_host_is_pure_unified(const CgroupHost *host) {
        return host->unified && host->hierarchies->len == 1;
}

bool cgroup_host_has_scopes(const CgroupHost *host) {
        return host->unified && host->unified->scopes;
}

/* Where a container's groups are, below the base: a path, or "" when there. */
static char *parent_name(bool scopes, const char *container) {
        g_autofree char *scope = NULL;

        if (!scopes)
                return g_strdup("");
        scope = scope_of_container(container);
        return g_strconcat(SCOPE_SLICE "/", scope, NULL);
}

static char *group_name(bool scopes, CgroupKind kind, const char *container) {
        static const char *const prefixes[] = {
                [CGROUP_MONITOR] = "berth.monitor.",
                [CGROUP_PAYLOAD] = "berth.payload.",
                [CGROUP_PIVOT] = "berth.pivot.",
        };
        g_autofree char *parent = parent_name(scopes, container);
        G_STATIC_ASSERT(ELEMENTSOF(prefixes) == _CGROUP_KIND_MAX);

        return g_strconcat(parent, *parent ? "/" : "", prefixes[kind], container, NULL);
}

char *cgroup_name(const CgroupHost *host, CgroupKind kind, const char *container) {
        return group_name(cgroup_host_has_scopes(host), kind, container);
}

/* Path of the group below the mount point. */
static char *group_path(const CgroupHierarchy *h, CgroupKind kind, const char *container) {
        g_autofree char *name = group_name(h->scopes, kind, container);

        return *h->base ? g_strconcat(h->base, "/", name, NULL) : TAKE_PTR(name);
}

int cgroup_open_group(const CgroupHierarchy *h, CgroupKind kind, const char *container) {
        g_autofree char *path = group_path(h, kind, container);

        return path_open_beneath(h->fd, path, O_RDONLY | O_DIRECTORY, 0);
}

int cgroup_open_base(const CgroupHierarchy *h) {
        return *h->base ? path_open_beneath(h->fd, h->base, O_RDONLY | O_DIRECTORY, 0)
                        : fcntl(h->fd, F_DUPFD_CLOEXEC, 0);
}

int cgroup_open_parent(const CgroupHierarchy *h, const char *container) {
        _cleanup_close_ int base = cgroup_open_base(h);
        g_autofree char *name = parent_name(h->scopes, container);

        if (base < 0 || *name == '\0')
                return TAKE_FD(base);
        return path_open_beneath(base, name, O_RDONLY | O_DIRECTORY, 0);
}

int cgroup_make_pivot(const CgroupHost *host, const char *container) {
        g_autofree char *name = group_name(false, CGROUP_PIVOT, container);
        _cleanup_close_ int parent =
                host->unified ? cgroup_open_parent(host->unified, container) : -EBADF;

        return parent < 0 ? parent : path_make_dir(parent, name, 0755);
}

int cgroup_enter_pivot(const CgroupHost *host, const char *container, pid_t pid) {
        g_autofree char *text = g_strdup_printf("%d", pid);
        _cleanup_close_ int group = cgroup_make_pivot(host, container), fd = -EBADF;

        if (group < 0)
                return group;
        fd = path_open_beneath(group, "cgroup.procs", O_WRONLY, 0);
        return fd < 0 ? fd : fd_write_all(fd, text, strlen(text));
}

/* One hierarchy is enough to see who is where: liblxc keeps them all alike. */
static const CgroupHierarchy *main_hierarchy(const CgroupHost *host) {
        return host->unified ?: g_ptr_array_index(host->hierarchies, 0);
}

static const CgroupHierarchy *find_hierarchy(const CgroupHost *host, const char *controllers) {
        for (guint i = 0; i < host->hierarchies->len; i++) {
                const CgroupHierarchy *h = g_ptr_array_index(host->hierarchies, i);

                if (g_str_equal(h->controllers, controllers))
                        return h;
        }
        return NULL;
}

const CgroupHierarchy *cgroup_find_controller(const CgroupHost *host, const char *controller) {
        for (guint i = 0; i < host->hierarchies->len; i++) {
                const CgroupHierarchy *h = g_ptr_array_index(host->hierarchies, i);

                if (has_option(h->controllers, controller))
                        return h;
        }
        return NULL;
}

int cgroup_read_path(const CgroupHierarchy *h, const Process *process, char **ret) {
        g_autofree char *text = NULL;
        g_auto(GStrv) lines = NULL;
        int r;

        r = process_read(process, "cgroup", &text);
        if (r < 0)
                return r;
        lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++) {
                const char *controllers, *path;

                if (split_line(*line, &controllers, &path) &&
                    g_str_equal(controllers, h->controllers)) {
                        *ret = g_strdup(path);
                        return 0;
                }
        }
        return -ENODATA;
}

static int open_beneath_or_self(int fd, const char *path, const char *file, int flags) {
        g_autofree char *name = *path ? g_strconcat(path, "/", file, NULL) : g_strdup(file);

        return path_open_beneath(fd, name, flags, 0);
}

static int entry_add(const CgroupHost *host, char *line, CgroupEntry *entry) {
        const char *controllers, *path;
        const CgroupHierarchy *h;
        int fd;

        if (!split_line(line, &controllers, &path))
                return 0;
        h = find_hierarchy(host, controllers);
        if (!h)
                return 0;
        if (h == host->unified) {
                fd = *path ? path_open_beneath(h->fd, path, O_RDONLY | O_DIRECTORY, 0)
                           : fcntl(h->fd, F_DUPFD_CLOEXEC, 0);
                if (fd < 0)
                        return fd;
                entry->unified_fd = fd;
                return 0;
        }
        if (entry->n_tasks_fds == ELEMENTSOF(entry->tasks_fds))
                return -E2BIG;
        /* A thread that moves itself spares the kernel the lock over all thread groups, whose
         * first taker waits for a grace period of RCU: 10 ms. The process has one thread. */
        fd = open_beneath_or_self(h->fd, path, "tasks", O_WRONLY);
        if (fd < 0)
                return fd;
        entry->tasks_fds[entry->n_tasks_fds++] = fd;
        return 0;
}

int cgroup_entry_open(const CgroupHost *host, const Process *process, CgroupEntry *ret,
                      Error *ret_error) {
        g_auto(CgroupEntry) entry = CGROUP_ENTRY_INIT;
        g_autofree char *text = NULL;
        g_auto(GStrv) lines = NULL;
        int r;

        r = process_read(process, "cgroup", &text);
        if (r < 0)
                return error_set(ret_error, ERROR_NOT_RUNNING, "The container has stopped");
        lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++) {
                r = entry_add(host, *line, &entry);
                if (r < 0)
                        return error_set_errno(ret_error, -r,
                                               "Cannot open the control groups of the container");
        }
        *ret = entry;
        entry = CGROUP_ENTRY_INIT;
        return 0;
}

void cgroup_entry_close(CgroupEntry *entry) {
        entry->unified_fd = fd_close(entry->unified_fd);
        while (entry->n_tasks_fds > 0)
                fd_close(entry->tasks_fds[--entry->n_tasks_fds]);
}

int cgroup_has_process(const CgroupHost *host, CgroupKind kind, const char *container,
                       const Process *process) {
        const CgroupHierarchy *h = main_hierarchy(host);
        g_autofree char *group = group_path(h, kind, container), *path = NULL;
        int r;

        r = cgroup_read_path(h, process, &path);
        if (r < 0)
                return r;
        return g_str_has_prefix(path, group) &&
               (path[strlen(group)] == '\0' || path[strlen(group)] == '/');
}

typedef int (*VisitFunc)(int dir_fd, void *userdata);

/* Calls `visit` for every group below the directory and then for itself; takes the fd over. */
static int walk(int fd, VisitFunc visit, void *userdata, unsigned depth) {
        _cleanup_close_ int own = fd;
        DIR *dir;
        struct dirent *entry;
        int r = 0;

        if (depth > CGROUP_DEPTH_MAX)
                return -ELOOP;
        dir = fdopendir(fcntl(own, F_DUPFD_CLOEXEC, 0));
        if (!dir)
                return -errno;
        while (r >= 0 && (entry = readdir(dir))) {
                int child;

                if (entry->d_type != DT_DIR || !path_is_component(entry->d_name))
                        continue;
                child = path_open_beneath(own, entry->d_name, O_RDONLY | O_DIRECTORY, 0);
                if (child == -ENOENT)
                        continue;
                r = child < 0 ? child : walk(child, visit, userdata, depth + 1);
        }
        (void) closedir(dir);
        return r < 0 ? r : visit(own, userdata);
}

static int visit_list(int dir_fd, void *userdata) {
        g_autofree char *text = NULL;
        g_auto(GStrv) lines = NULL;
        int r;

        r = cgroup_read_file(dir_fd, "cgroup.procs", &text);
        if (r == -ENODEV || r == -ENOENT || r == -EOPNOTSUPP)
                return 0; /* removed meanwhile, or a threaded group, which its domain lists */
        if (r < 0)
                return r;
        lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++) {
                guint64 pid;

                if (g_ascii_string_to_unsigned(*line, 10, 1, G_MAXINT32, &pid, NULL)) {
                        pid_t p = (pid_t) pid;

                        g_array_append_val((GArray *) userdata, p);
                }
        }
        return 0;
}

int cgroup_list_processes(const CgroupHost *host, CgroupKind kind, const char *container,
                          GArray **ret) {
        g_autoptr(GArray) pids = g_array_new(FALSE, FALSE, sizeof(pid_t));
        int fd, r;

        fd = cgroup_open_group(main_hierarchy(host), kind, container);
        if (fd < 0 && fd != -ENOENT)
                return fd;
        if (fd >= 0) {
                r = walk(fd, visit_list, pids, 0);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(pids);
        return 0;
}

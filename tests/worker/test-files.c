/* SPDX-License-Identifier: Apache-2.0 */

/* Files of containers, running and stopped, and containers that want them touched wrongly. */

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/operations.h"
#include "tests/unit/test.h"
#include "tests/worker/container.h"

#define ROUNDS 400

static const char *worker_of(const char *operation) {
        bool tree = g_str_has_prefix(operation, "tree.");
        const char *worker = g_getenv(tree ? "BERTH_WORKER_TREE" : "BERTH_WORKER_FILES");

        g_assert_nonnull(worker);
        return worker;
}

/* `options` in GVariant's text form. */
static WorkerClient *begin(Container *c, const char *operation, const char *path, int fd,
                           const char *options) {
        g_autoptr(GVariant) given =
                g_variant_ref_sink(g_variant_new_parsed(options ?: "@a{sv} {}"));
        GVariantBuilder idmap;
        GVariantDict args;
        int fds[2];
        size_t n_fds = 0;

        g_variant_builder_init(&idmap, G_VARIANT_TYPE("a(suuu)"));
        g_variant_builder_add(&idmap, "(suuu)", "u", 0, CONTAINER_ID_BASE, 65536);
        g_variant_builder_add(&idmap, "(suuu)", "g", 0, CONTAINER_ID_BASE, 65536);
        g_variant_dict_init(&args, given);
        g_variant_dict_insert(&args, "path", "s", path);
        g_variant_dict_insert(&args, "init-pid", "i", c->init);
        g_variant_dict_insert_value(&args, "idmap", g_variant_builder_end(&idmap));
        g_variant_dict_insert(&args, "rootfs", "s", c->rootfs);
        g_variant_dict_insert(&args, "idmapped", "b", TRUE);
        if (fd >= 0)
                fds[n_fds++] = fd;
        if (c->init_pidfd >= 0)
                fds[n_fds++] = c->init_pidfd;
        return worker_client_new(worker_of(operation), operation, g_variant_dict_end(&args), fds,
                                 n_fds);
}

static WorkerMessage call(Container *c, const char *operation, const char *path, int fd,
                          const char *options) {
        return worker_client_finish(begin(c, operation, path, fd, options));
}

static void assert_done(WorkerMessage message) {
        if (!g_str_equal(message.kind, "result"))
                g_error("%s", g_variant_print(message.content, FALSE));
        worker_message_clear(&message);
}

static void assert_fails(WorkerMessage message, const char *name) {
        const char *error;

        g_assert_cmpstr(message.kind, ==, "error");
        g_assert_true(g_variant_lookup(message.content, "name", "&s", &error));
        if (!g_str_has_suffix(error, name))
                g_error("%s instead of %s", g_variant_print(message.content, FALSE), name);
        worker_message_clear(&message);
}

static int text_fd(const char *text) {
        int fd = memfd_create("text", MFD_CLOEXEC);

        g_assert_cmpint(fd_write_all(fd, text, strlen(text)), ==, 0);
        g_assert_cmpint(lseek(fd, 0, SEEK_SET), ==, 0);
        return fd;
}

static void push(Container *c, const char *path, const char *text, const char *options) {
        _cleanup_close_ int fd = text_fd(text);

        assert_done(call(c, OPERATION_FILE_PUSH, path, fd, options));
}

static void push_fails(Container *c, const char *path, const char *name) {
        _cleanup_close_ int fd = text_fd("data");

        assert_fails(call(c, OPERATION_FILE_PUSH, path, fd, NULL), name);
}

static void assert_pull(Container *c, const char *path, const char *text) {
        _cleanup_close_ int fd = memfd_create("pull", MFD_CLOEXEC);
        g_autofree char *got = NULL;

        assert_done(call(c, OPERATION_FILE_PULL, path, fd, NULL));
        g_assert_cmpint(lseek(fd, 0, SEEK_SET), ==, 0);
        g_assert_cmpint(fd_read_text(fd, 1 << 20, &got), ==, 0);
        g_assert_cmpstr(got, ==, text);
}

static void pull_fails(Container *c, const char *path, const char *name) {
        _cleanup_close_ int fd = memfd_create("pull", MFD_CLOEXEC);

        assert_fails(call(c, OPERATION_FILE_PULL, path, fd, NULL), name);
}

/* As it is in the volume, where ids are the container's own. */
static void assert_on_disk(Container *c, const char *name, uid_t uid, gid_t gid, mode_t mode) {
        g_autofree char *path = g_build_filename(c->rootfs, name, NULL);
        struct stat st;

        g_assert_cmpint(lstat(path, &st), ==, 0);
        g_assert_cmpuint(st.st_uid, ==, uid);
        g_assert_cmpuint(st.st_gid, ==, gid);
        g_assert_cmpuint(st.st_mode & 07777, ==, mode);
}

static char *on_disk(Container *c, const char *name) {
        return g_build_filename(c->rootfs, name, NULL);
}

static void assert_no_leftovers(Container *c, const char *directory) {
        g_autofree char *path = on_disk(c, directory);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;

        g_assert_nonnull(dir);
        while ((name = g_dir_read_name(dir)))
                if (g_str_has_prefix(name, ".berth-"))
                        g_error("%s/%s was left", path, name);
}

/* --- what is the same whether it runs or not --- */

static void check_push_and_pull(Container *c) {
        push(c, "/etc/new", "one", NULL);
        assert_on_disk(c, "etc/new", 0, 0, 0644);
        assert_pull(c, "/etc/new", "one");
        push(c, "etc/new", "two",
             "{'uid': <uint32 1000>, 'gid': <uint32 1001>, 'mode': <uint32 384>}");
        assert_on_disk(c, "etc/new", 1000, 1001, 0600);
        /* Who owns it is kept. */
        push(c, "/etc/new", "three", NULL);
        assert_on_disk(c, "etc/new", 1000, 1001, 0600);
        assert_pull(c, "/etc/new", "three");
        push(c, "/root/setuid", "x", "{'uid': <uint32 0>, 'mode': <uint32 2541>}");
        assert_on_disk(c, "root/setuid", 0, 0, 04755);
        push_fails(c, "/etc/none/new", "NoSuchFile");
        push_fails(c, "/etc", "WrongFileType");
        push_fails(c, "/", "WrongFileType");
        push_fails(c, "/etc/passwd/x", "NoSuchFile");
        push(c, "/etc/a/b/c", "deep", "{'make-directories': <true>}");
        assert_on_disk(c, "etc/a", 0, 0, 0750);
        assert_pull(c, "/etc/a/b/c", "deep");
        pull_fails(c, "/etc/none", "NoSuchFile");
        pull_fails(c, "/etc", "WrongFileType");
        {
                _cleanup_close_ int fd = text_fd("x");

                assert_fails(call(c, OPERATION_FILE_PUSH, "/etc/x", fd, "{'uid': <uint32 70000>}"),
                             "InvalidArgs");
        }
        assert_no_leftovers(c, "etc");
}

static void check_links(Container *c) {
        const char *const links[][2] = {
                { "etc/relative", "new" },       { "etc/absolute", "/etc/new" },
                { "etc/out", "../../../../../../../../../../etc/new" },
                { "etc/dangling", "/etc/made" }, { "etc/loop", "loop" },
                { "dir", "/etc" },
        };

        push(c, "/etc/new", "here", NULL);
        for (size_t i = 0; i < ELEMENTSOF(links); i++) {
                g_autofree char *path = on_disk(c, links[i][0]);

                g_assert_cmpint(symlink(links[i][1], path), ==, 0);
        }
        assert_pull(c, "/etc/relative", "here");
        assert_pull(c, "/etc/absolute", "here");
        assert_pull(c, "/etc/out", "here");
        assert_pull(c, "/dir/new", "here");
        push(c, "/etc/absolute", "through", NULL);
        push(c, "/etc/dangling", "made", NULL);
        assert_pull(c, "/etc/new", "through");
        assert_pull(c, "/etc/made", "made");
        push(c, "/dir/other", "other", NULL);
        assert_pull(c, "/etc/other", "other");
        push_fails(c, "/etc/loop", "Failed");
        /* The link goes, not what it leads to. */
        assert_done(call(c, OPERATION_FILE_DELETE, "/etc/absolute", -EBADF, NULL));
        assert_pull(c, "/etc/new", "through");
        pull_fails(c, "/etc/absolute", "NoSuchFile");
}

static void check_special_files(Container *c) {
        g_autofree char *fifo = on_disk(c, "etc/fifo");

        g_assert_cmpint(mkfifo(fifo, 0666), ==, 0);
        pull_fails(c, "/etc/fifo", "WrongFileType");
        push_fails(c, "/etc/fifo", "WrongFileType");
        assert_done(call(c, OPERATION_FILE_DELETE, "/etc/fifo", -EBADF, NULL));
}

static void check_directories(Container *c) {
        assert_done(call(c, OPERATION_FILE_MAKE_DIRECTORY, "/srv", -EBADF,
                         "{'uid': <uint32 5>, 'gid': <uint32 6>, 'mode': <uint32 493>}"));
        assert_on_disk(c, "srv", 5, 6, 0755);
        assert_fails(call(c, OPERATION_FILE_MAKE_DIRECTORY, "/srv", -EBADF, NULL), "AlreadyExists");
        assert_fails(call(c, OPERATION_FILE_MAKE_DIRECTORY, "/x/y", -EBADF, NULL), "NoSuchFile");
        assert_done(call(c, OPERATION_FILE_MAKE_DIRECTORY, "/srv/a/b", -EBADF,
                         "{'parents': <true>}"));
        assert_fails(call(c, OPERATION_FILE_DELETE, "/srv", -EBADF, NULL), "InUse");
        assert_done(call(c, OPERATION_FILE_DELETE, "/srv", -EBADF, "{'recursive': <true>}"));
        assert_fails(call(c, OPERATION_FILE_DELETE, "/srv", -EBADF, NULL), "NoSuchFile");
        {
                g_auto(WorkerMessage) stat = call(c, OPERATION_FILE_STAT, "/home/alice", -EBADF,
                                                  NULL);
                g_auto(WorkerMessage) list = call(c, OPERATION_FILE_LIST, "/home", -EBADF, NULL);
                g_autofree char *text = g_variant_print(list.content, FALSE);
                const char *type;
                guint32 uid;

                g_assert_true(g_variant_lookup(stat.content, "type", "&s", &type));
                g_assert_cmpstr(type, ==, "directory");
                g_assert_true(g_variant_lookup(stat.content, "uid", "u", &uid));
                g_assert_cmpuint(uid, ==, 1000);
                g_assert_nonnull(strstr(text, "[('alice', 'directory')]"));
        }
}

/* Out of one directory and into another, holes, links, owners and modes as they were. */
static void check_trees(Container *c) {
        g_autofree char *sparse = on_disk(c, "home/alice/sparse");
        g_autofree char *link = on_disk(c, "home/alice/l");
        g_autofree char *copy = on_disk(c, "tmp/alice/sparse"), *copied = on_disk(c, "tmp/alice/l");
        g_autofree char *again = on_disk(c, "home/alice/again"), *fifo = on_disk(c, "home/alice/f");
        g_autofree char *again_copy = on_disk(c, "tmp/alice/again");
        _cleanup_close_ int tar = memfd_create("tar", MFD_CLOEXEC);
        char target[64] = { 0 };
        struct stat st, other;

        push(c, "/home/alice/plain", "plain", "{'uid': <uint32 7>, 'mode': <uint32 2477>}");
        push(c, "/home/alice/sparse", "x", NULL);
        g_assert_cmpint(truncate(sparse, 64 << 20), ==, 0);
        g_assert_cmpint(symlink("/etc/passwd", link), ==, 0);
        g_assert_cmpint(linkat(AT_FDCWD, sparse, AT_FDCWD, again, 0), ==, 0);
        g_assert_cmpint(mkfifo(fifo, 0666), ==, 0);
        assert_done(call(c, OPERATION_TREE_PULL, "/home/alice", tar, NULL));
        g_assert_cmpint(fstat(tar, &st), ==, 0);
        g_assert_cmpint(st.st_size, <, 1 << 20);
        g_assert_cmpint(lseek(tar, 0, SEEK_SET), ==, 0);
        assert_done(call(c, OPERATION_TREE_PUSH, "/tmp", tar, NULL));
        assert_on_disk(c, "tmp/alice", 1000, 1000, 0700);
        assert_on_disk(c, "tmp/alice/plain", 7, 0, 0655); /* 04655 without the bit */
        g_assert_cmpint(stat(copy, &st), ==, 0);
        g_assert_cmpint(st.st_size, ==, 64 << 20);
        g_assert_cmpint(st.st_blocks, <, 1024);
        g_assert_cmpint(stat(again_copy, &other), ==, 0);
        g_assert_cmpuint(st.st_ino, ==, other.st_ino);
        g_assert_cmpint(readlink(copied, target, sizeof(target) - 1), >, 0);
        g_assert_cmpstr(target, ==, "/etc/passwd");
        assert_no_leftovers(c, "tmp/alice");
        {
                _cleanup_close_ int bad = text_fd("this is no archive, and longer than one block");

                assert_fails(call(c, OPERATION_TREE_PUSH, "/tmp", bad, NULL), "InvalidArgs");
        }
}

static void check_all(Container *c) {
        check_push_and_pull(c);
        check_links(c);
        check_special_files(c);
        check_directories(c);
        check_trees(c);
}

TEST(stopped) {
        g_autoptr(Container) c = container_new();

        if (c)
                check_all(c);
}

TEST(running) {
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        container_start(c);
        check_all(c);
}

/* --- what only a running one can do --- */

TEST(magic_links_and_mounts) {
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        container_start(c);
        pull_fails(c, "/proc/1/root/etc/passwd", "Failed");
        pull_fails(c, "/proc/1/exe", "Failed");
        pull_fails(c, "/dev/null", "WrongFileType");
        push_fails(c, "/dev/zero", "WrongFileType");
        {
                g_auto(ExecResult) r = container_shell(
                        c, "mkdir /mnt && mount -t tmpfs none /mnt && echo inside > /mnt/file && "
                           "touch /etc/over && mount -o bind /mnt/file /etc/over && "
                           "mkdir -p /tmp/t && mount -t tmpfs none /tmp/t");

                g_assert_cmpint(r.status, ==, 0);
        }
        assert_pull(c, "/mnt/file", "inside\n");
        push(c, "/mnt/pushed", "mounted", NULL);
        assert_pull(c, "/mnt/pushed", "mounted");
        push_fails(c, "/etc/over", "Busy");
        assert_fails(call(c, OPERATION_FILE_DELETE, "/etc/over", -EBADF, NULL), "Busy");
        assert_fails(call(c, OPERATION_FILE_DELETE, "/tmp", -EBADF, "{'recursive': <true>}"),
                     "Busy");
}

TEST(huge_directory) {
        g_autoptr(Container) c = container_new();
        g_autofree char *directory = NULL;

        if (!c)
                return;
        directory = on_disk(c, "tmp");
        for (int i = 0; i < 20000; i++) {
                g_autofree char *path = g_strdup_printf("%s/a-rather-long-name-%d", directory, i);
                _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

                g_assert_cmpint(fd, >=, 0);
        }
        {
                g_auto(WorkerMessage) list = call(c, OPERATION_FILE_LIST, "/tmp", -EBADF, NULL);
                gboolean complete = TRUE;

                g_assert_cmpstr(list.kind, ==, "result");
                g_assert_true(g_variant_lookup(list.content, "complete", "b", &complete));
                g_assert_false(complete);
        }
        assert_done(call(c, OPERATION_FILE_DELETE, "/tmp", -EBADF, "{'recursive': <true>}"));
        g_assert_cmpint(access(directory, F_OK), <, 0);
}

/* Nothing is left of a file whose data have not all come, whether the worker is asked to stop or
 * killed. */
TEST(cancelled) {
        static const int signals[] = { SIGTERM, SIGKILL };
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        push(c, "/etc/kept", "old", NULL);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
                int pipe_fds[2];
                g_auto(WorkerMessage) begun = {};
                WorkerClient *client;

                g_assert_cmpint(pipe2(pipe_fds, O_CLOEXEC), ==, 0);
                client = begin(c, OPERATION_FILE_PUSH, "/etc/kept", pipe_fds[0], NULL);
                fd_close(pipe_fds[0]);
                begun = worker_client_receive(client);
                g_assert_cmpstr(begun.kind, ==, "event");
                g_assert_cmpint(fd_write_all(pipe_fds[1], "half", 4), ==, 0);
                g_assert_cmpint(kill(client->pid, signals[i]), ==, 0);
                if (signals[i] == SIGTERM)
                        assert_fails(worker_client_finish(client), "Cancelled");
                else
                        (void) worker_client_end(client);
                fd_close(pipe_fds[1]);
                assert_pull(c, "/etc/kept", "old");
                assert_no_leftovers(c, "etc");
        }
}

/* --- the process that works there --- */

static pid_t child_of(pid_t parent) {
        g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", parent, parent);
        g_autofree char *text = NULL;

        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        return (pid_t) g_ascii_strtoll(text, NULL, 10);
}

/* What leads to other processes, to groups or to what is not the container's. */
static void assert_fds_are_few(pid_t pid) {
        static const char *const fine[] = { "/dev/null", "/", "/etc", "/etc/#", "/tmp", "socket:[",
                                            "pipe:[", NULL };
        g_autofree char *path = g_strdup_printf("/proc/%d/fd", pid);
        g_autofree char *self = g_strdup_printf("/proc/%d/fd", pid);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;

        g_assert_nonnull(dir);
        while ((name = g_dir_read_name(dir))) {
                g_autofree char *link = g_strdup_printf("%s/%s", path, name);
                g_autofree char *target = g_file_read_link(link, NULL);
                bool known = g_strcmp0(target, self) == 0;

                printf("%s -> %s\n", name, target);
                for (const char *const *f = fine; *f; f++)
                        known = known || g_strcmp0(target, *f) == 0 ||
                                (strlen(*f) > 5 && target && g_str_has_prefix(target, *f));
                if (!known)
                        g_error("fd %s is %s", name, target);
        }
}

static void look_at_helper(pid_t pid, bool running) {
        g_autofree char *root = g_strdup_printf("/proc/%d/root", pid);
        g_autofree char *file = g_strdup_printf("/proc/%d/status", pid), *status = NULL;
        const unsigned long flags = ST_NOSUID | ST_NODEV | ST_NOEXEC;
        struct statvfs filesystem;
        struct stat st;

        g_assert_true(g_file_get_contents(file, &status, NULL, NULL));
        g_assert_nonnull(strstr(status, "\nGroups:\t \n"));
        /* What can be dumped belongs to the container's root, who could look into it then. */
        g_assert_cmpint(stat(file, &st), ==, 0);
        g_assert_cmpuint(st.st_uid, ==, 0);
        g_assert_cmpint(statvfs(root, &filesystem), ==, 0);
        if (!running)
                g_assert_cmpuint(filesystem.f_flag & flags, ==, flags);
        assert_fds_are_few(pid);
}

TEST(who_works_there_has_nothing_of_the_host) {
        static const gid_t groups[] = { 4, 5 };
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        g_assert_cmpint(setgroups(ELEMENTSOF(groups), groups), ==, 0);
        for (int running = 0; running < 2; running++) {
                g_auto(WorkerMessage) begun = {};
                WorkerClient *client;
                int pipe_fds[2];

                if (running)
                        container_start(c);
                g_assert_cmpint(pipe2(pipe_fds, O_CLOEXEC), ==, 0);
                client = begin(c, OPERATION_FILE_PUSH, "/etc/pushed", pipe_fds[0], NULL);
                fd_close(pipe_fds[0]);
                begun = worker_client_receive(client);
                g_assert_cmpstr(begun.kind, ==, "event");
                look_at_helper(child_of(client->pid), running);
                g_assert_cmpint(fd_write_all(pipe_fds[1], "all", 3), ==, 0);
                fd_close(pipe_fds[1]);
                assert_done(worker_client_finish(client));
                assert_pull(c, "/etc/pushed", "all");
        }
        g_assert_cmpint(setgroups(0, NULL), ==, 0);
}

/* --- templates --- */

static WorkerMessage make(Container *c, const char *templates) {
        g_autofree char *options = g_strdup_printf(
                "{'templates': <@a(sssa{ss}b) %s>, 'context': <@a{sv} {'config': "
                "<{'user.x': 'y'}>, 'container': <{'name': 'c1'}>}>}",
                templates);

        return call(c, OPERATION_FILE_TEMPLATES, "/", -EBADF, options);
}

TEST(templates) {
        g_autoptr(Container) c = container_new();
        g_autofree char *link = NULL, *fifo = NULL;

        if (!c)
                return;
        link = on_disk(c, "etc/link");
        fifo = on_disk(c, "etc/fifo");
        assert_done(make(c, "[('/etc/hostname', '{{ container.name }}\n', 'start', {}, false),"
                            " ('/srv/a/b', '{{ properties.p }}{{ config_get(\"user.x\") }}"
                            "{{ trigger }}', 'copy', {'p': 'q'}, true)]"));
        assert_pull(c, "/etc/hostname", "c1\n");
        assert_on_disk(c, "etc/hostname", 0, 0, 0644);
        assert_pull(c, "/srv/a/b", "qycopy");
        assert_on_disk(c, "srv/a", 0, 0, 0755);
        /* Only what is not there; owner and mode of what is. */
        push(c, "/srv/a/b", "own", "{'uid': <uint32 5>, 'mode': <uint32 384>}");
        assert_done(make(c, "[('/srv/a/b', 'new', 'start', {}, true)]"));
        assert_pull(c, "/srv/a/b", "own");
        assert_done(make(c, "[('/srv/a/b', 'new', 'start', {}, false)]"));
        assert_pull(c, "/srv/a/b", "new");
        assert_on_disk(c, "srv/a/b", 5, 0, 0600);
        /* Through a link it is a file of the container as well. */
        g_assert_cmpint(symlink("/../../../../etc/made", link), ==, 0);
        assert_done(make(c, "[('/etc/link', 'inside', 'start', {}, false)]"));
        assert_pull(c, "/etc/made", "inside");

        assert_fails(make(c, "[('/../../etc/x', 'x', 'start', {}, false)]"), "InvalidImage");
        assert_fails(make(c, "[('etc/x', 'x', 'start', {}, false)]"), "InvalidImage");
        assert_fails(make(c, "[('/etc/./x', 'x', 'start', {}, false)]"), "InvalidImage");
        assert_fails(make(c, "[('/etc', 'x', 'start', {}, false)]"), "WrongFileType");
        assert_fails(make(c, "[('/etc/x', '{% include \"/etc/shadow\" %}', 'start', {}, false)]"),
                     "InvalidImage");
        g_assert_cmpint(mkfifo(fifo, 0666), ==, 0);
        assert_fails(make(c, "[('/etc/fifo', 'x', 'start', {}, false)]"), "WrongFileType");
        pull_fails(c, "/etc/x", "NoSuchFile");
        assert_no_leftovers(c, "etc");
}

/* --- races --- */

/* A process of the container changes every component of the path as fast as it can, between what
 * it should be and links that would lead out of a careless host, to the directory that is $1. */
static const char swapper[] =
        "mkdir -p /race/real && echo container > /race/real/file && cp /bin/busybox /race/mv\n"
        "ln -s $1 /race/out && ln -s ../../../../../../../../ /race/up\n"
        "cd /race; while :; do for l in out up; do\n"
        "mv real dir 2>/dev/null; mv dir real 2>/dev/null; ln -sfn $l dir; rm -f dir\n"
        "ln -sf $1/file real/file; rm -f real/file\n"
        "mkfifo real/file; rm real/file\n"
        "echo container > real/file; done; done";

TEST(races) {
        g_autofree char *sentinel = g_strdup("/var/tmp/berth-sentinel.XXXXXX");
        bool made = g_mkdtemp(sentinel) != NULL; /* the name is only now what it will be */
        g_autofree char *file = g_strconcat(sentinel, "/file", NULL);
        g_autofree char *way_up = g_strconcat("/race/up", file, NULL);
        const char *const paths[] = { "/race/dir/file", "/race/real/file", way_up };
        g_autoptr(Container) c = container_new();
        const char *const argv[] = { "/bin/sh", "-c", swapper, "swapper", sentinel, NULL };
        _cleanup_close_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        g_autofree char *after = NULL;
        int fds[] = { -EBADF, null_fd, null_fd, null_fd };
        WorkerClient *loop;
        unsigned ok = 0;

        if (!c)
                return;
        /* What must not be touched. */
        g_assert_true(made);
        g_assert_cmpint(chmod(sentinel, 0755), ==, 0);
        g_assert_true(g_file_set_contents(file, "host", -1, NULL));
        container_start(c);
        fds[0] = c->init_pidfd;
        loop = worker_client_new(container_worker(), OPERATION_EXEC,
                                 container_exec_args(c, &(Exec) {}, argv, false), fds, 4);
        for (int i = 0; i < ROUNDS; i++) {
                const char *path = paths[i % (int) ELEMENTSOF(paths)];
                _cleanup_close_ int source = text_fd("pushed");
                _cleanup_close_ int target = memfd_create("pull", MFD_CLOEXEC);
                g_autofree char *got = NULL;
                g_auto(WorkerMessage) a = call(c, OPERATION_FILE_PUSH, path, source, NULL);
                g_auto(WorkerMessage) b = call(c, OPERATION_FILE_PULL, path, target, NULL);
                g_auto(WorkerMessage) d = call(c, OPERATION_FILE_DELETE, path, -EBADF,
                                               "{'recursive': <true>}");

                ok += g_str_equal(a.kind, "result");
                g_assert_cmpint(lseek(target, 0, SEEK_SET), ==, 0);
                g_assert_cmpint(fd_read_text(target, 1 << 20, &got), ==, 0);
                g_assert_cmpstr(got, !=, "host");
                g_assert_nonnull(d.kind);
                g_assert_nonnull(b.kind);
        }
        g_assert_cmpint(kill(loop->pid, SIGTERM), ==, 0);
        (void) worker_client_end(loop);
        g_assert_true(g_file_get_contents(file, &after, NULL, NULL));
        g_assert_cmpstr(after, ==, "host");
        g_assert_cmpint(unlink(file), ==, 0);
        g_assert_cmpint(rmdir(sentinel), ==, 0);
        g_assert_cmpuint(ok, >, 0);
}

TEST_MAIN()

/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/files/mount.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/major.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/worker/files/arguments.h"
#include "service/worker/files/mount-filter.h"
#include "service/worker/files/place.h"
#include "service/worker/runtime/wait.h"

/* /dev/fuse's, of the "misc" devices. */
#define FUSE_DEVICE_MINOR 229
/* What is open beside nodes and handles. */
#define FDS_BESIDE 64U

static void mount_done(Mount *mount) {
        mount->nodes = node_table_free(mount->nodes);
        for (size_t i = 0; mount->handles && i < HANDLES_MAX; i++)
                if (mount->handles->handles[i].used)
                        handle_free(&mount->handles->handles[i]);
        g_clear_pointer(&mount->handles, g_free);
        g_clear_pointer(&mount->mounted, g_free);
        g_clear_pointer(&mount->buffer, g_free);
}

/* The kernel speaks: there is a mount, and it is ours to serve. */
static void on_init(void *userdata, struct fuse_conn_info *connection) {
        Mount *mount = userdata;

        /* Data is copied: pipes for splice() would be further fds, and pages of other people. */
        connection->want &= ~(unsigned) (FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
                                         FUSE_CAP_SPLICE_MOVE);
        mount->begun = true;
        worker_progress(mount->inside->worker, "Mounted", -1);
        (void) inside_begun(mount->inside, NULL);
}

static const struct fuse_lowlevel_ops answers = {
        .init = on_init,
        .lookup = mount_answer_lookup,
        .forget = mount_answer_forget,
        .getattr = mount_answer_getattr,
        .setattr = mount_answer_setattr,
        .readlink = mount_answer_readlink,
        .mknod = mount_answer_mknod,
        .mkdir = mount_answer_mkdir,
        .symlink = mount_answer_symlink,
        .link = mount_answer_link,
        .unlink = mount_answer_unlink,
        .rmdir = mount_answer_rmdir,
        .rename = mount_answer_rename,
        .open = mount_answer_open,
        .create = mount_answer_create,
        .release = mount_answer_release,
        .read = mount_answer_read,
        .write = mount_answer_write,
        .fsync = mount_answer_fsync,
        .lseek = mount_answer_lseek,
        .fallocate = mount_answer_fallocate,
        .opendir = mount_answer_opendir,
        .readdir = mount_answer_readdir,
        .releasedir = mount_answer_releasedir,
        .fsyncdir = mount_answer_fsyncdir,
        .statfs = mount_answer_statfs,
};

/* --- in the child --- */

/* Until the user unmounts it (0), or the worker is told to stop. */
static int serve_loop(const Mount *mount, struct fuse_session *session, Error *ret_error) {
        g_autofree char *memory = NULL;
        struct fuse_buf buffer = { 0 };
        int r = 0;

        wait_block_term();
        while (r >= 0 && !fuse_session_exited(session)) {
                struct pollfd p = { .fd = mount->fuse_fd, .events = POLLIN };

                r = wait_poll(&p, 1, WAIT_FOREVER);
                if (r == -ECANCELED)
                        return worker_cancelled(ret_error);
                if (r > 0)
                        r = fuse_session_receive_buf(session, &buffer);
                memory = buffer.mem; /* libfuse makes it at the first request */
                if (r > 0) {
                        fuse_session_process_buf(session, &buffer);
                        node_table_rest(mount->nodes);
                } else if (r == 0)
                        break;
                else if (r == -EINTR || r == -EAGAIN)
                        r = 0;
        }
        if (r == -EPERM && !mount->begun)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "The fd given is of no mount; mount it with fusermount3 first");
        return r < 0 ? error_set_errno(ret_error, -r, "The mount cannot be served") : 0;
}

static int serve(Mount *mount, Error *ret_error) {
        g_autofree char *fd_path = g_strdup_printf("/dev/fd/%d", mount->fuse_fd);
        char *argv[] = { (char *) "berth", NULL };
        struct fuse_args args = FUSE_ARGS_INIT(1, argv);
        struct fuse_session *session;
        int r;

        session = fuse_session_new(&args, &answers, sizeof(answers), mount);
        if (!session)
                return error_set(ret_error, ERROR_FAILED, "libfuse cannot be set up");
        if (fuse_session_mount(session, fd_path) < 0)
                r = error_set(ret_error, ERROR_FAILED, "libfuse cannot take the mount's fd");
        else
                r = serve_loop(mount, session, ret_error);
        fuse_session_destroy(session);
        return r;
}

static int open_root(Mount *mount, Error *ret_error) {
        _cleanup_close_ int fd = place_open(mount->inside, mount->path, O_PATH);
        g_autofree char *mounted = g_malloc0(PATH_MAX);
        char number[16];
        struct stat st;

        if (fd == -ENOENT || fd == -ENOTDIR)
                return error_set(ret_error, ERROR_NO_SUCH_FILE,
                                 "The container has no directory \"%s\"", mount->path);
        (void) g_snprintf(number, sizeof(number), "%d", fd);
        if (fd < 0 || fstat(fd, &st) < 0 ||
            readlinkat(mount->inside->self_fd, number, mounted, PATH_MAX - 1) < 0)
                return error_set_errno(ret_error, fd < 0 ? -fd : errno,
                                       "\"%s\" in the container can't be opened", mount->path);
        if (!S_ISDIR(st.st_mode))
                return error_set(ret_error, ERROR_WRONG_FILE_TYPE,
                                 "\"%s\" in the container is %s, not a directory", mount->path,
                                 file_type_to_noun(st.st_mode));
        mount->mounted = TAKE_PTR(mounted);
        mount->nodes = node_table_new(TAKE_FD(fd));
        return 0;
}

/* The child needs no network, and /proc of the container would show it that of the host. */
static int confine(Error *ret_error) {
        struct rlimit limit;

        if (unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0 ||
            getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return error_set_errno(ret_error, errno, "Cannot confine the server of the mount");
        limit.rlim_max = MIN(limit.rlim_max, NODE_FDS_MAX + HANDLES_MAX + FDS_BESIDE);
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
                return error_set_errno(ret_error, errno, "Cannot confine the server of the mount");
        return 0;
}

static int mount_inside(const Inside *inside, void *userdata, GVariantDict *result,
                        Error *ret_error) {
        Mount *mount = userdata;
        int r;

        mount->inside = inside;
        mount->handles = g_new0(HandleTable, 1);
        mount->buffer = g_malloc(MOUNT_BUFFER_SIZE);
        r = confine(ret_error);
        if (r >= 0)
                r = open_root(mount, ret_error);
        if (r >= 0)
                r = mount_filter_load(ret_error);
        if (r >= 0)
                r = serve(mount, ret_error);
        mount_done(mount);
        return r;
}

/* --- the operation --- */

/* Requests have to be the kernel's: libfuse believes their form. */
static int check_fd(int fd, Error *ret_error) {
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) ||
            st.st_rdev != makedev(MISC_MAJOR, FUSE_DEVICE_MINOR))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "What is to be served is no fd of /dev/fuse");
        return 0;
}

int mount_serve(Worker *worker, GVariantDict *result, Error *ret_error) {
        _cleanup_close_ int fd = worker_take_fd(worker, 0);
        Mount mount = { .fuse_fd = fd };
        int r;

        r = files_get_path(worker, &mount.path, ret_error);
        if (r >= 0)
                r = check_fd(fd, ret_error);
        return r < 0 ? r : inside_run(worker, &fd, 1, mount_inside, &mount, result, ret_error);
}

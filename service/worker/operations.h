/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The operations of the workers: names, arguments, fds, results. berthd and the rooms of
 * worker/ both include this; it is their contract. Arguments are keys of the request's a{sv};
 * "fds:" lists the fds of the request in their order. Unless said otherwise an operation is
 * idempotent, so that an undo or a recovery can run it again.
 *
 * A pool is named by three arguments in every operation that touches one:
 *   "pool" s (name), "pool-driver" s ("dir", "btrfs" or "lvm"), "pool-path" s (its root directory).
 * Below the root directory, all of mode 0700 and owned by root:
 *   images/FINGERPRINT  containers/NAME  snapshots/CONTAINER/NAME
 *   custom/NAME  custom-snapshots/VOLUME/NAME
 *   states/CONTAINER  snapshot-states/CONTAINER/SNAPSHOT
 *                                  (no root filesystem: what CRIU saved of the processes)
 *   records/... (berthd's: see service/operation/pool-records.h)
 * Each of these is a volume: a directory (dir), a subvolume (btrfs) or what stands for a thin
 * volume (lvm, see service/worker/thin-volume.h) that holds a root filesystem (custom: whatever its
 * users put there), with the ids 0 to 65535 as the container sees them, and nothing else. Names
 * that begin with "." are unfinished and swept at start.
 */

/* --- storage: berth-worker-storage ------------------------------------------------------- */

/* Makes the pool and its directories. "source" s (see Manager.CreateStoragePool; "" for one of our
 * own), "size" t (of the loop file, 0 for the default: a fifth of the free space, 5 to 30 GiB),
 * "state-dir" s. pool-path is the mount point or directory to be: STATE/mounts/NAME; a btrfs loop
 * file is STATE/disks/NAME.img and is mounted there (nosuid,nodev,noatime, user_subvol_rm_allowed
 * not), as is a btrfs on a block device ("source" begins with /dev/); an existing btrfs directory
 * or plain directory is bind-mounted there, so that a pool is always at its path. "uuid" s: that a
 * btrfs on a block device or a pool of driver lvm is to get, "" elsewhere. Of driver lvm "source"
 * may also be the name of a volume group that is empty. "config" a{ss}: the pool's. Result:
 * "source" s, "uuid" s, "size" t. Undoes itself on failure. */
#define OPERATION_POOL_CREATE "storage.pool-create"
/* Mounts a pool that exists, and lets it follow its configuration; fine where it is mounted. Same
 * arguments as POOL_CREATE, "source" and "uuid" as its result gave them ("": what is on the device,
 * whatever it is), and "kept" as: volumes ("containers/NAME", "custom/NAME") of which what was put
 * aside is not swept. Result: "uuid" s, likewise. */
#define OPERATION_POOL_MOUNT "storage.pool-mount"
/* Ends the mount of a pool, which stays what it is. Same arguments. */
#define OPERATION_POOL_UNMOUNT "storage.pool-unmount"
/* Makes a pool in a loop file "size" t large; it is mounted. Same arguments. ERROR_INVALID_CONFIG
 * where it is larger. */
#define OPERATION_POOL_GROW "storage.pool-grow"
/* How full a pool of driver lvm is: its filesystem tells that of others. No further arguments.
 * Result: "size" t, "used" t. */
#define OPERATION_POOL_SPACE "storage.pool-space"
/* Deletes all volumes and the pool, unmounts it and removes the loop file. Same arguments, and
 * "incomplete" b (may be left out): POOL_CREATE did not tell how it ended. */
#define OPERATION_POOL_DELETE "storage.pool-delete"

/* Makes volume containers/"container" s a copy of images/"image" s: a writable snapshot on btrfs,
 * a copy (reflinked where the filesystem can) on dir. Replaces an unfinished one. "size" t: what it
 * may hold (0: no limit); ERROR_NO_SPACE where the image holds more. Result:
 * "idmapped" b: whether the pool's filesystem can be mounted idmapped; if not, owners have been
 * shifted by "idmap" a(suuu), as in START (once, here), or with "may-shift" b false,
 * ERROR_NOT_SUPPORTED. Result: "idmap" again. */
#define OPERATION_CONTAINER_CREATE "storage.container-create"
/* Makes volume containers/"name" s a copy of containers/"container" s, or of its snapshot
 * "snapshot" s ("" for itself), and copies its snapshots "snapshots" as too; one that is named as a
 * stand-in (see service/model/snapshot.h) becomes one of what it stands for. The source is in the
 * pool "from-pool", "from-driver", "from-path"; the pool of the other three arguments may be the
 * same, where copies share their data if it can. With "refresh" b the volume is there already and
 * replaced, as OPERATION_SNAPSHOT_RESTORE does. "idmap" a(suuu), "may-shift" b, "size" t and
 * result: as CONTAINER_CREATE. On failure the caller deletes what was made. */
#define OPERATION_CONTAINER_COPY "storage.container-copy"
/* Deletes volume containers/"container" s, its state and all its snapshots with theirs. */
#define OPERATION_CONTAINER_DELETE "storage.container-delete"
/* Renames volume containers/"container" s to "name" s, and the directory of its snapshots. */
#define OPERATION_CONTAINER_RENAME "storage.container-rename"
/* Makes volume snapshots/"container" s/"snapshot" s a copy of containers/"container": a read-only
 * snapshot on btrfs, a copy on dir. Replaces an unfinished one, and a stand-in. */
#define OPERATION_SNAPSHOT_CREATE "storage.snapshot-create"
/* Deletes, and renames to "name" s, that volume and the state that goes with it. */
#define OPERATION_SNAPSHOT_DELETE "storage.snapshot-delete"
#define OPERATION_SNAPSHOT_RENAME "storage.snapshot-rename"
/* Puts a copy of volume snapshots/"container"/"snapshot" in the place of containers/"container",
 * which is kept beside it, and limits it to "size" t (0: no limit); puts the kept one back, where
 * there is one; deletes the kept one (what cannot be deleted is left to be swept). */
#define OPERATION_SNAPSHOT_RESTORE "storage.snapshot-restore"
#define OPERATION_SNAPSHOT_RESTORE_UNDO "storage.snapshot-restore-undo"
#define OPERATION_SNAPSHOT_RESTORE_END "storage.snapshot-restore-end"

/* Makes volume states/"container" s, or with "snapshot" s that is not "" the one of that snapshot,
 * empty, in the place of one that is there; deletes it. */
#define OPERATION_STATE_CREATE "storage.state-create"
#define OPERATION_STATE_DELETE "storage.state-delete"

/* Makes volume custom/"volume" s, empty, for "size" t (0: no limit). */
#define OPERATION_VOLUME_CREATE "storage.volume-create"
/* The same as for containers, of custom/"volume" s with snapshots custom-snapshots/"volume"/NAME:
 * their argument "container" is "volume" here. Nothing is shifted. */
#define OPERATION_VOLUME_COPY "storage.volume-copy"
#define OPERATION_VOLUME_DELETE "storage.volume-delete"
#define OPERATION_VOLUME_RENAME "storage.volume-rename"
#define OPERATION_VOLUME_SNAPSHOT_CREATE "storage.volume-snapshot-create"
#define OPERATION_VOLUME_SNAPSHOT_DELETE "storage.volume-snapshot-delete"
#define OPERATION_VOLUME_SNAPSHOT_RENAME "storage.volume-snapshot-rename"
#define OPERATION_VOLUME_SNAPSHOT_RESTORE "storage.volume-snapshot-restore"
#define OPERATION_VOLUME_SNAPSHOT_RESTORE_UNDO "storage.volume-snapshot-restore-undo"
#define OPERATION_VOLUME_SNAPSHOT_RESTORE_END "storage.volume-snapshot-restore-end"
/* Deletes volume images/"image" s. */
#define OPERATION_IMAGE_DELETE "storage.image-delete"
/* Limits what volumes may hold, in use or not: "volumes" a(sssssttb): pool, its driver and path,
 * directory ("containers" or "custom"), name, size (0: no limit), the size before, whether it is an
 * error (ERROR_NO_SPACE) when it holds more than that already. All or nothing. */
#define OPERATION_VOLUME_RESIZE "storage.volume-resize"
/* What volume containers/"container" s or custom/"volume" s holds and may hold. Result: "used" t,
 * "size" t (0: no limit); empty while its pool does not count. */
#define OPERATION_CONTAINER_USAGE "storage.container-usage"
#define OPERATION_VOLUME_USAGE "storage.volume-usage"

/* --- image: berth-worker-image ------------------------------------------------------------ */

/* Copies the archive (fds: archive) to "spool" s, an absolute path in a directory of our own,
 * hashing it; then reads it in the jail: checks every entry, parses metadata, and if pool
 * arguments are given unpacks it into volume images/FINGERPRINT. With "rootfs-spool" s it is a
 * split image (fds: archive, rootfs), whose fingerprint is that of one archive followed by the
 * other. With "expected" s nothing is read that has another fingerprint. Result: "fingerprint" s,
 * "size" t (of both), "architecture" s, "created" t (µs), "expires" t, "properties" a{ss},
 * "templates" a(sssasa{ss}b) (path, file, content, when, properties, create-only), "unpacked" b,
 * "skipped-devices" u. On failure the spools and the volume are gone. Cancel: likewise. */
#define OPERATION_IMAGE_IMPORT "image.import"
/* Unpacks the archive "archive" s, or "rootfs" s of a split image, which was imported before, into
 * volume images/"image" s. */
#define OPERATION_IMAGE_UNPACK "image.unpack"
/* Makes an image archive "spool" s, unified, with "compression" s ("gzip", "bzip2", "xz", "zstd" or
 * "none"), of volume containers/"container" s, or of its snapshot "snapshot" s ("" for itself).
 * "architecture" s, "created" t, "expires" t, "properties" a{ss}, "templates" a(sssasa{ss}b) become
 * its metadata. Result: as IMAGE_IMPORT; nothing is unpacked. On failure the spool is gone. */
#define OPERATION_IMAGE_PUBLISH "image.publish"
/* Writes the archive "archive" s to (fds: destination), a file or pipe. */
#define OPERATION_IMAGE_EXPORT "image.export"
/* Writes the archive of volume containers/"container" s and its snapshots to (fds: destination), a
 * file or pipe, as it goes: in LXD's layout (service/worker/image/container-index.h), with
 * "compression" as for IMAGE_PUBLISH. "running" b: a picture of it is taken where the pool can.
 * "index" a{sv} and "snapshots" aa{sv} are what is configured; "architecture", "created",
 * "expires", "properties" and "templates" become its metadata. */
#define OPERATION_CONTAINER_EXPORT "image.export-container"
/* Unpacks such an archive from (fds: archive), a file or pipe, as it comes. First it sends the
 * event {"index": b true} with a sealed memfd: an a{sv} of "container" a{sv} and "snapshots"
 * aa{sv}, from a stranger. berthd answers ("accept", {...}) with pool arguments, "container" s, the
 * name that it is to have, "id-count" t (its owners are below) and "snapshots" as, the names of all
 * of them; or ("refuse", {"name": s, "message": s}), which is then the error. Result: "templates"
 * a(sssasa{ss}b). On failure the caller deletes what was made. */
#define OPERATION_CONTAINER_IMPORT "image.import-container"

/* --- download: berth-worker-download ------------------------------------------------------ */

/* All three may have "proxy" s, a URL (config_check_proxy()), and "proxy-except" s: which hosts are
 * asked directly, with commas. */

/* Asks the image server "url" s, "protocol" s (service/model/image-server.h) what it has, or with
 * "image" s and "architecture" s for that one image (ERROR_NO_SUCH_IMAGE). Result fd: a sealed
 * memfd with a catalogue (service/model/catalogue.h), from a stranger; with "tolerant" b, where the
 * server cannot be reached, "unreachable" s instead: why. */
#define OPERATION_DOWNLOAD_LIST "download.list"
/* Asks the server of "url" s, an archive or what stands for one of an image, where the archive for
 * "architecture" s is and what SHA-256 it has, by the headers LXD-Image-URL and LXD-Image-Hash.
 * Result: "url" s, "hash" s; where it does not say so, the same URL and "". */
#define OPERATION_DOWNLOAD_LOCATE "download.locate"
/* Writes what is behind "url" s to (fds: destination), a file, which "size" t is the most of (0:
 * the most that an archive may have). What came is checked by who uses it. */
#define OPERATION_DOWNLOAD_FETCH "download.fetch"

/* The same of volume custom/"volume" s: without "architecture", "expires", "properties" and
 * "templates"; what accepts an import may say "size" t (0: no limit). */
#define OPERATION_VOLUME_EXPORT "image.export-volume"
#define OPERATION_VOLUME_IMPORT "image.import-volume"
/* The same of volume states/"container" s, which has no snapshots. */
#define OPERATION_STATE_EXPORT "image.export-state"
#define OPERATION_STATE_IMPORT "image.import-state"

/* --- network: berth-worker-network -------------------------------------------------------- */

/* Picks what "auto" stands for: "ipv4" b, "ipv6" b: which of them. Result: "ipv4.address" s,
 * "ipv6.address" s (ADDRESS/PREFIX: a random 10.x.y.1/24 and fd42:x:y:z::1/64 that no route of the
 * host covers). */
#define OPERATION_NETWORK_PICK "network.pick-address"
/* Makes or corrects the bridge "name" s as "config" a{ss} says (no address is "auto" any more),
 * with its routes and ports ("strict" b: those of the host must be there); sets it up; turns
 * forwarding on; starts dnsmasq unless one of ours runs as it should, with "run-dir" s (world
 * searchable; pid file, hosts directory RUN-DIR/hosts) and "lease-file" s. Result: "dnsmasq-pid" i
 * (0 without addresses); result fd: its pidfd. */
#define OPERATION_NETWORK_UP "network.up"
/* Ends dnsmasq and removes the bridge "name" s. "run-dir" s, "lease-file" s (removed). */
#define OPERATION_NETWORK_DOWN "network.down"
/* Makes nftables' tables "inet berth" and "bridge berth" what "networks" a(sa{ss}) (name,
 * configuration) and "nics" aa{ss} (as START has them, with "ipv4.address", "ipv6.address" and
 * "security.*_filtering") and "translations" a(ssqqsq) (see service/model/network-forward.h) say,
 * in one transaction; without networks and nics both are removed. Touches no other table.
 * "generation" t: of two at a time the one with the higher number stays, known by "lock-file" s. */
#define OPERATION_NETWORK_FIREWALL "network.firewall"
/* Changes nothing but the sets of guards (guard.h), in one transaction: "remove" aa{ss} are nics
 * that are there, exactly so, "add" aa{ss} those that are to be. Fails where the tables are not so.
 * "generation" t, "lock-file" s: as above; after a whole with a higher number it does nothing. */
#define OPERATION_NETWORK_GUARD "network.guard"

/* --- runtime: berth-worker-runtime -------------------------------------------------------- */

/* Starts a container. "name" s; "lxc-path" s: a fresh directory of our own with an unguessable
 * name; "rootfs" s; "idmapped" b (mount it idmapped; else it is stored shifted); "idmap" a(suuu)
 * (kind "u" or "g", first id inside, first id on the host, count; nothing: privileged); "owner" u
 * (uid, with whose rights disks of the host are opened), "devices" a{sa{ss}} (expanded; those that
 * are files are made ready); "nics" aa{ss} ("nictype", "name" inside, "host_name", "hwaddr",
 * "parent" bridge or interface, "mtu" and whatever the type takes; where the parent is a link that
 * is to be made, "vlan.parent" is what "vlan" is on); "log-file" s (liblxc's), "console-log" s
 * (what the console showed; the older half of it is in a file of that name with ".1");
 * "architecture" s; "config" a{ss} (the whole expanded configuration: its limits, rlimits,
 * environment, settings of the kernel and raw lines are put into effect), "cpus" s (what limits.cpu
 * has come to, "" for all). Ends when init runs. Result: "init-pid" i, "monitor-pid" i, "warnings"
 * as (limits that have no effect on this host); result fds: pidfds of init and monitor. On failure
 * nothing runs, and the error has the cause from liblxc's log. "state" s: "", or the directory that
 * DUMP filled, of which its processes are made instead of a new init, with "state-key" s as there;
 * what CRIU cannot do is ERROR_BACKEND_FAILED with its own words. Once they run the directory is
 * emptied, without "keep-state" b; with "stateless" b it is emptied and no more. With "take-over"
 * b nothing is started: a worker that did this has died, and if the state's seal has gone what runs
 * is taken over; else it is ended, which is an error. */
#define OPERATION_START "runtime.start"
/* Saves the processes of a frozen container, which stays as it is, with CRIU: "name" s, "init-pid"
 * i, "idmap" a(suuu); into "state" s, an empty directory of our own whose parents are root's alone;
 * the whole is sealed with the key in the file "state-key" s, for this container and these ids (see
 * service/worker/runtime/state-seal.h). fds: pidfd of init. Not cancellable. ERROR_NOT_SUPPORTED
 * without CRIU or with version 1 of control groups; ERROR_BACKEND_FAILED with what CRIU says. */
#define OPERATION_DUMP "runtime.dump"
/* Gives a saved state, "state" s, a seal for another host beside its own, once its own is right:
 * "name" s, "idmap" a(suuu), "state-key" s as for DUMP, "migration-key" s, a file like that one.
 * With "incoming" b it is the other way round: the seal of another host must be right, for a
 * container that is called "from" s there, and what else has a meaning here is taken away. */
#define OPERATION_SIGN "runtime.sign"
/* Freezes and thaws: "name" s, "lxc-path" s, "init-pid" i. fds: pidfd of init. */
#define OPERATION_FREEZE "runtime.freeze"
#define OPERATION_UNFREEZE "runtime.unfreeze"
/* Changes the limits of containers that run, and loads what linux.kernel_modules has more than
 * before: "containers" a(sia{ss}a{ss}ss): name, pid of init,
 * expanded configuration before and after, set of CPUs before and after. All or nothing: on an
 * error every container has what it had before. One that has stopped is passed over. Result:
 * "warnings" as. */
#define OPERATION_LIMITS "runtime.limits"
/* Takes devices away from containers that run and puts others in, all of it or nothing. One that
 * comes back with other limits, MTU or addresses stays, and gets these. A proxy that is put in
 * again is started anew.
 * "containers" a(ssiua(suuu)a{sa{ss}}a{sa{ss}}): name, lxc-path, pid of init, owner's uid,
 * "idmap" as of START; what to remove, what to add: options as of "devices" of START, those of
 * nics as in "nics", with their type. fds: pidfd of the init of each.
 * "again" b: a change was interrupted, and nobody knows how far it had come. What is to go may have
 * gone, and what is to come is taken away before if it is there. A container may be there twice. */
#define OPERATION_DEVICES "runtime.devices"
/* Lets nodes come and go as the host's hardware has: "containers" as for DEVICES, of which those to
 * add are looked at that follow the host. fds: pidfd of the init of each. */
#define OPERATION_FOLLOW "runtime.follow"
/* Kills what is left of a container whose init has gone or must go: every process of its cgroups;
 * then removes these, and its veths and lxc-path. "name" s, "lxc-path" s, "init-pid" i (0: it has
 * gone). */
#define OPERATION_CLEAN "runtime.clean"
/* Runs a program inside. "name" s, "init-pid" i, "idmap" a(suuu) as of START (what init's control
 * group and maps must say, checked before anything is entered); "argv" as, "environment" as,
 * "syscalls" a{ss} (keys that say what it may call, as in "config" of START), "cwd" s, "user" s,
 * "group" s ("" for the defaults), "terminal" b, "width" u, "height" u. fds: pidfd of init, stdin,
 * stdout, stderr (the three only without terminal). Sends the event {"started": b true} once the
 * program is about to run, with the terminal's master side where there is one. Obeys "signal" and
 * "resize". Result: "exit-status" i (0-255; 128 + N; 126; 127). Cancel: SIGHUP, then SIGKILL to its
 * session. */
#define OPERATION_EXEC "runtime.exec"

/* --- console: berth-worker-console -------------------------------------------------------- */

/* Attaches to the console of a container. "name" s, "lxc-path" s, "console-log" s as in START;
 * "width" u, "height" u (of the client's window), "history" b (first what the console has shown
 * already). fds: pidfd of the monitor. Sends the event {"started": b true} with the master side of
 * a terminal, and lasts until that is closed or the container ends. Obeys "resize", and TIOCSWINSZ
 * on the master side. Cancel: detaches. */
#define OPERATION_CONSOLE "console.attach"

/* What is kept of a console, in two files of half of it. */
#define CONSOLE_LOG_MAX (128U << 10)

/* --- files: berth-worker-files; trees: berth-worker-tree; mounts: berth-worker-mount ------ */

/* All of them work inside a container, running or not: "init-pid" i (0: it does not run), "idmap"
 * a(suuu) as in START, and of a stopped one "rootfs" s, "idmapped" b as in START. fds: those that
 * are said below, then the pidfd of init where it runs. "path" s is resolved inside. Links are
 * followed where nothing else is said. The event {"begun": b true} says that what was asked for is
 * there, and that the rest may take its time. Cancel: no file is left there by half. */

/* Writes a regular file to (fds: destination). The event also has "type" s, "size" t, "mode" u,
 * "uid" u, "gid" u, "modified" t (µs since 1970) of it. Result: "size" t: what was written. */
#define OPERATION_FILE_PULL "files.pull"
/* Makes or replaces a regular file by what can be read from (fds: source). "uid" u, "gid" u,
 * "mode" u: without them those of the old file, or 0, 0, 0644. "make-directories" b: its parents
 * too (0750). */
#define OPERATION_FILE_PUSH "files.push"
/* What there is, as the event of FILE_PULL says it, and "target" s of a link. "follow" b. */
#define OPERATION_FILE_STAT "files.stat"
/* Entries of a directory: "entries" a(ss) (name, type), "complete" b (false: there are more, which
 * are too many). Names that are not UTF-8 are left out. */
#define OPERATION_FILE_LIST "files.list"
/* Makes a directory: "uid" u, "gid" u, "mode" u (0, 0, 0750), "parents" b: its parents too, and no
 * error where it is there. */
#define OPERATION_FILE_MAKE_DIRECTORY "files.make-directory"
/* Deletes a file, link (not followed) or empty directory, or with "recursive" b a tree. */
#define OPERATION_FILE_DELETE "files.delete"
/* Makes files of templates: "templates" a(sssa{ss}b) (path, text, trigger, properties,
 * create-only), "context" a{sv} (see service/model/template.h; "properties", "path" and "trigger"
 * are added for each). A file that is there keeps owner and mode, and with create-only its content;
 * a new one is root's with 0644, its parents with 0755. No "path". */
#define OPERATION_FILE_TEMPLATES "files.templates"
/* Writes a tree as a tar archive (pax) to (fds: destination); names begin with the last component
 * of the path. "special-modes" b: with set-user-id, set-group-id and sticky bits. Result: "files"
 * t, "skipped" t (devices, FIFOs, sockets). */
#define OPERATION_TREE_PULL "tree.pull"
/* Unpacks the tar archive from (fds: source), uncompressed, in the directory "path"; with
 * "make-directories" b makes that. Result: "files" t. */
#define OPERATION_TREE_PUSH "tree.push"
/* Serves the directory "path" as a file system to the kernel (fds: of /dev/fuse, mounted already)
 * until it is unmounted. The event says that the kernel has heard of it. */
#define OPERATION_MOUNT "mount.serve"

/* The directory in lxc-path with a file for each proxy device that is served; its first line is pid
 * and start time (in clock ticks since boot) of the process. */
#define RUNTIME_FORWARDS_DIR "forwards"

/* Where liblxc's post-stop hook leaves why the container ended, in lxc-path: a file with "stop" or
 * "reboot". */
#define RUNTIME_TARGET_FILE "target"

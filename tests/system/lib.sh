# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What test scripts are made of. A script defines functions test_SOMETHING, which run in their order
# as root of a world (see world) with "set -e": any command that fails fails the test.

ROOT_PATH=/org/berth1

fail() {
        echo "$*" >&2
        return 1
}

skip() {
        echo "SKIP: $*"
        exit 77
}

# is ACTUAL EXPECTED
is() {
        [ "$1" = "$2" ] || fail "got \"$1\" where \"$2\" was expected"
}

# contains TEXT PART
contains() {
        [[ $1 == *"$2"* ]] || fail "no \"$2\" in \"$1\""
}

# refused REGEX COMMAND...: the command must fail and say something that matches.
refused() {
        local regex=$1 out
        shift
        if out=$("$@" 2>&1); then
                fail "\"$*\" was not refused: $out"
        fi
        grep -qiE -- "$regex" <<<"$out" || fail "\"$*\" was refused, but not by /$regex/: $out"
}

# What polkit's refusals look like, with or without somebody who could be asked.
# shellcheck disable=SC2034
DENIED='not authorized|access denied|authentication|authorization'

### Users and sessions

declare -A session_of=()

# systemd's hierarchy as sd-login looks for it: where cgroup v2 is mounted, there; the v1 hierarchy
# of that name is kept equal.
session_groups() {
        local mount
        for mount in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
                [ ! -e "$mount/cgroup.procs" ] || echo "$mount/user.slice/user-$1.slice/session-$2.scope"
        done
}

# session_open USER ID [active|closing]: gives the user a session at the machine's own seat, as
# logind would keep it: state files below /run/systemd, and a scope that `as` puts processes into.
# With "closing" it is inactive.
session_open() {
        local user=$1 id=$2 state=${3:-active} uid group active=0
        uid=$(id -u "$user")
        [ "$state" != active ] || active=1
        cat >"/run/systemd/sessions/$id" <<-END
		UID=$uid
		USER=$user
		ACTIVE=$active
		IS_DISPLAY=1
		STATE=$state
		REMOTE=0
		TYPE=tty
		CLASS=user
		SCOPE=session-$id.scope
		SEAT=seat0
		VTNR=1
	END
        cat >"/run/systemd/users/$uid" <<-END
		NAME=$user
		STATE=$state
		DISPLAY=$id
		SESSIONS=$id
		SEATS=seat0
		ACTIVE_SESSIONS=$([ $active = 0 ] || echo "$id")
		ONLINE_SESSIONS=$id
	END
        cat >/run/systemd/seats/seat0 <<-END
		IS_SEAT0=1
		CAN_MULTI_SESSION=1
		CAN_TTY=1
		CAN_GRAPHICAL=0
		ACTIVE=$id
		ACTIVE_UID=$uid
		SESSIONS=$id
		UIDS=$uid
	END
        for group in $(session_groups "$uid" "$id"); do
                mkdir -p "$group"
        done
        session_of[$user]=$id
}

session_close() {
        local user=$1 id=${session_of[$1]} uid group
        uid=$(id -u "$user")
        rm "/run/systemd/sessions/$id" "/run/systemd/users/$uid"
        rm -f /run/systemd/seats/seat0
        for group in $(session_groups "$uid" "$id"); do
                rmdir "$group" "${group%/*}"
                rmdir --ignore-fail-on-non-empty "${group%/*/*}"
        done
        unset "session_of[$user]"
}

# as USER COMMAND...: runs it as the user, in his session if he has one, with a login's environment.
as() {
        local user=$1 uid group home
        shift
        uid=$(id -u "$user")
        home=$(getent passwd "$user" | cut -d : -f 6)
        (
                for group in $([ -z "${session_of[$user]:-}" ] ||
                        session_groups "$uid" "${session_of[$user]}"); do
                        echo "$BASHPID" >"$group/cgroup.procs"
                done
                cd "$home" || exit
                exec setpriv --reuid "$uid" --regid "$(id -g "$user")" --init-groups -- \
                        env -i HOME="$home" USER="$user" LOGNAME="$user" SHELL=/bin/bash \
                        PATH=/usr/local/bin:/usr/bin:/bin TERM="${TERM:-dumb}" LC_ALL=C.UTF-8 "$@"
        )
}

### The service

# call PATH INTERFACE METHOD [SIGNATURE ARGS...]
call() {
        busctl --timeout=60 call org.berth1 "$ROOT_PATH$1" "org.berth1.$2" "${@:3}"
}

# property PATH INTERFACE NAME
property() {
        busctl --json=short get-property org.berth1 "$ROOT_PATH$1" "org.berth1.$2" "$3" |
                jq -r '.data | if type == "string" then . else tojson end'
}

# Pid of the service, or nothing.
service_pid() {
        busctl call org.freedesktop.DBus / org.freedesktop.DBus GetConnectionUnixProcessID \
                s org.berth1 2>/dev/null | cut -d ' ' -f 2 || :
}

service_ping() {
        busctl call org.berth1 "$ROOT_PATH" org.freedesktop.DBus.Peer Ping
}

# wait_exit PID SECONDS: until the process has ended.
wait_exit() {
        timeout "$2" tail --pid="$1" -s 0.05 -f /dev/null ||
                fail "process $1 is still there after $2 s"
}

# service_kill SIGNAL: and wait until it has gone.
service_kill() {
        local pid
        pid=$(service_pid)
        [ -n "$pid" ] || return 0
        kill -"$1" "$pid"
        wait_exit "$pid" 20
}

# eventually SECONDS COMMAND...: for facts that no event tells, such as a kernel table.
eventually() {
        local end=$((SECONDS + $1))
        shift
        until "$@"; do
                [ $SECONDS -lt $end ] || fail "not within the time: $*"
                sleep 0.05
        done
}

# error_of PATH INTERFACE.METHOD [ARGS...]: the last part of the name of the error of a call that must
# fail, such as "InvalidName". Arguments as gdbus takes them.
error_of() {
        local path=$1 method=$2 out
        shift 2
        if out=$(gdbus call --system -d org.berth1 -o "$ROOT_PATH$path" \
                -m "org.berth1.$method" -- "$@" 2>&1); then
                fail "$method was not refused: $out"
        fi
        sed -n 's/.*GDBus\.Error:\([A-Za-z0-9_.]*\): .*/\1/p; s/^Error: GDBus\.Error:\([^:]*\).*/\1/p' \
                <<<"$out" | head -n 1 | sed 's/.*\.//'
}

# wait_job PATH: until it has ended; fails with its error.
wait_job() {
        busctl --timeout=120 call org.berth1 "$1" org.berth1.Job Wait 'a{sv}' 0
}

state() {
        property "/container/$1" Container State
}

# watch FILE MATCH...: appends a line to FILE for each signal that matches; $watch_pid is to be
# killed. Returns once it listens.
watch() {
        local file=$1 line ready
        shift
        exec {ready}< <(exec dbus-monitor --system --profile "$@" | tee "$file")
        # Its own name is lost when it begins to listen to others.
        while read -r -t 10 -u "$ready" line; do
                [[ $line == *NameLost* ]] || continue
                # shellcheck disable=SC2034
                watch_pid=$(pgrep -n -x dbus-monitor)
                return 0
        done
        fail "dbus-monitor does not start"
}

### Things to work with

# for_everybody DEVICE: as udev has it everywhere; /dev is the host's here and stays as it is. What was
# put there is $replaced, to be unmounted at the end.
for_everybody() {
        [ "$(stat -c %a "$1")" != 666 ] || return 0
        mkdir /tmp/devices
        mount -t tmpfs -o mode=755,nosuid devices /tmp/devices
        mknod /tmp/devices/node c "$(stat -c %Hr "$1")" "$(stat -c %Lr "$1")"
        chmod 666 /tmp/devices/node
        mount --bind /tmp/devices/node "$1"
        # shellcheck disable=SC2034
        replaced=$1
        umount --lazy /tmp/devices
        rmdir /tmp/devices
}

# image NAME: path of a test image, made by tests/images/NAME unless the cache has it.
image() {
        "$BERTH_SOURCE/tests/images/cached" "$1"
}

# What an administrator sets up: a pool, a network, and the default profile with both.
set_up() {
        local driver=${1:-btrfs}
        if [ "$driver" = btrfs ]; then
                berth storage create --quiet default btrfs size=2GiB
        else
                berth storage create --quiet default "$driver"
        fi
        berth network create --quiet berthbr0 ipv4.address=10.77.0.1/24 ipv4.nat=true \
                ipv6.address=fd42:77::1/64 ipv6.nat=true
        call /profile/default Profile Update 'a{ss}asa{sv}' 0 0 1 devices 'a{sa{ss}}' 2 \
                root 3 type disk path / pool default \
                eth0 2 type nic network berthbr0
}

import_busybox() {
        berth image import "$(image busybox)" --alias busybox
}

# Paths of all objects with an interface, below the root object.
objects() {
        busctl --json=short call org.berth1 "$ROOT_PATH" org.freedesktop.DBus.ObjectManager \
                GetManagedObjects | jq -r --arg interface "org.berth1.$1" --arg root "$ROOT_PATH" \
                '.data[0] | to_entries[] | select(.value | has($interface)) | .key | ltrimstr($root)'
}

# jobs_under_way: paths of jobs that have not ended.
jobs_under_way() {
        local job state
        for job in $(objects Job); do
                state=$(property "$job" Job State 2>/dev/null) || continue # it has gone meanwhile
                [ "$state" = "done" ] || echo "$job"
        done
}

# delete OBJECT [OPTION...]: and waits until it is gone.
delete() {
        berth-call --quiet "$ROOT_PATH$1" Delete "${@:2}" >/dev/null
}

# Deletes all that a script made, through the service, and ends it.
world_empty() {
        local user object
        for user in "${!session_of[@]}"; do
                session_close "$user"
        done
        [ -n "$(service_pid)" ] || [ -n "$(find /var/lib/berth -type f)" ] || return 0
        for object in $(objects Container); do
                delete "$object" force=true
        done
        for object in $(objects Image); do
                delete "$object"
        done
        for object in $(objects Volume); do
                delete "$object"
        done
        for object in $(objects Profile); do
                if [ "$object" = /profile/default ]; then
                        call "$object" Profile Update 'a{ss}asa{sv}' 0 0 1 devices 'a{sa{ss}}' 0
                else
                        call "$object" Profile Delete 'a{sv}' 0
                fi
        done
        for object in $(objects Network); do
                delete "$object"
        done
        for object in $(objects StoragePool); do
                delete "$object"
        done
        service_kill TERM
}

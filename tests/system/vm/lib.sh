# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What is real in the machine, and so takes the place of what ../lib.sh plays.

# image NAME: path of a test image.
image() {
        echo "/media/images/$1"
}

# Id of the user's session, or nothing.
session_id() {
        loginctl list-sessions --no-legend | awk -v user="$1" '$3 == user { print $1; exit }'
}

has_session() {
        [ -n "$(session_id "$1")" ]
}

session_is() {
        [ "$(loginctl show-session --value --property "$2" "$1")" = "$3" ]
}

no_session() {
        ! has_session "$1"
}

# session_open USER ID [active|closing]: logs the user in on a virtual terminal, which is in front or,
# with "closing", is not. logind chooses the id. `as` puts processes into the session.
session_open() {
        local user=$1 state=${3:-active} id terminal=tty$(($(id -u "$1") % 100 + 10))
        systemd-run --quiet --collect --unit="login-$user" --property=StandardInput=tty \
                --property="TTYPath=/dev/$terminal" --property=TTYReset=yes \
                --property=TTYVHangup=yes --property=SendSIGHUP=yes --property=KillMode=process \
                /sbin/agetty --noclear --autologin "$user" "$terminal" linux
        eventually 30 has_session "$user"
        id=$(session_id "$user")
        # logind tells of it before it has its control group.
        eventually 60 unit_is "session-$id.scope" active
        if [ "$state" = active ]; then
                loginctl activate "$id"
                eventually 10 session_is "$id" Active yes
        else
                busctl call org.freedesktop.login1 /org/freedesktop/login1/seat/seat0 \
                        org.freedesktop.login1.Seat SwitchTo u 1
                eventually 10 session_is "$id" Active no
        fi
        session_is "$id" Seat seat0
        session_of[$user]=$id
}

# session_open_remote USER: as sshd would, a session on no seat of this machine's.
session_open_remote() {
        local user=$1 id
        systemd-run --quiet --collect --unit="login-$user" --property=SendSIGHUP=yes \
                script --quiet --flush --command "login -h 192.0.2.7 -f $user" /dev/null
        eventually 30 has_session "$user"
        id=$(session_id "$user")
        eventually 60 unit_is "session-$id.scope" active
        session_is "$id" Remote yes
        session_is "$id" Seat ""
        session_of[$user]=$id
}

session_close() {
        local user=$1
        loginctl terminate-session "${session_of[$user]}"
        eventually 30 no_session "$user"
        systemctl --quiet stop "login-$user" 2>/dev/null || :
        eventually 10 unit_is "login-$user" inactive
        unset "session_of[$user]"
}

# unit_is UNIT STATE
unit_is() {
        [ "$(systemctl is-active "$1")" = "$2" ]
}

init_pid() {
        property "/container/$1" Container InitPid
}

has_address() {
        property "/container/$1" Container Addresses | grep -qF "$2"
}

# group_of PID: the path of its control group.
group_of() {
        sed -n 's/^0:://p' "/proc/$1/cgroup"
}

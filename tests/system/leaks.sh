# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What a test leaves behind: the world as it was before the service ran, compared with what it is
# after everything in it was deleted and the service has ended.

# Loop devices with a file of this world's behind them; one that is deleted may be another world's.
leaks_loops() {
        local name device inode file
        losetup -nlO NAME,BACK-MAJ:MIN,BACK-INO,BACK-FILE | while read -r name device inode file; do
                [ "$device" = "$(mountpoint -d /var/lib/berth)" ] || continue
                [[ $file == *"(deleted)" ]] ||
                        [ -n "$(find /var/lib/berth -xdev -inum "$inode" -print -quit)" ] ||
                        continue
                echo "loop device $name $file"
        done
}

leaks_snapshot() {
        ps -eo args= | grep -vE '^(ps|grep|sed|bash) |^sort$|polkitd|dbus-daemon' | sed 's/^/process /'
        findmnt -rno TARGET | sed 's/^/mount /'
        ip -o link | awk -F ': ' '{ print "link " $2 }'
        nft list tables | sed 's/^/nftables /'
        find /sys/fs/cgroup -mindepth 1 -type d | sed 's/^/cgroup /'
        leaks_loops
        find /run/world/upper ! -type d | sed 's|/run/world/upper|file |'
        # Directories of the service's own may stay when they are empty. So may its lock, and the
        # record of the profile that is always there, what is set for the service, and the mark that
        # the boot was seen.
        find /run/berth /var/lib/berth ! -type d ! -path /var/lib/berth/profiles/default \
                ! -path '/var/lib/berth/service/*' ! -path /var/lib/berth/lock ! -path /run/berth/boot 2>/dev/null | sed 's/^/file /'
        find /run/berth/lxc /var/lib/berth/mounts -mindepth 1 -type d 2>/dev/null |
                sed 's/^/directory /'
}

leaks_remember() {
        # Starts polkitd, which stays.
        busctl call org.freedesktop.PolicyKit1 /org/freedesktop/PolicyKit1/Authority \
                org.freedesktop.DBus.Peer Ping
        leaks_snapshot | sort >/run/world/log/before
}

leaks_compare() {
        leaks_snapshot | sort >/run/world/log/after
        comm -13 /run/world/log/before /run/world/log/after >/run/world/log/leaks
        [ ! -s /run/world/log/leaks ]
}

leaks_report() {
        # A sanitized build tells what it found, but the bus that starts it does not look.
        grep -E 'Sanitizer|runtime error:' /run/world/log/bus && return 1
        # The kernel ends mounts, and what hangs on them, a moment after the last process that had
        # them, and tells nobody.
        for _ in {1..30}; do
                ! leaks_compare || return 0
                sleep 0.1
        done
        echo "LEFT BEHIND:"
        cat /run/world/log/leaks
        # The only thing that does not end with the world.
        sed -n 's/^loop device \([^ ]*\) .*/\1/p' /run/world/log/leaks | xargs -r losetup -d
        return 1
}

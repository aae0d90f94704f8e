#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# First process of the demo guests: loads drivers, says that it is ready, gives a shell on each console.
export PATH=/bin HOME=/root TERM=linux
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts

for module in $(cat /etc/modules); do
    insmod "/lib/modules/$module.ko" || echo "init: $module was not loaded"
done
[ -e /dev/input/event0 ] && acpid -c /etc/acpi -l /var/log/acpid -p /run/acpid.pid

cat > /etc/profile <<'PROFILE'
PS1='\h:\w# '
cd /root
PROFILE
{
    [ -x /test.sh ] && echo "::sysinit:/test.sh"
    # cttyhack finds the console's real device, so that job control works.
    echo "::respawn:/bin/cttyhack /bin/sh -l"
    [ -e /dev/hvc0 ] && ! grep -q console=hvc0 /proc/cmdline && echo "hvc0::respawn:/bin/sh -l"
    echo "::ctrlaltdel:/bin/reboot"
    echo "::shutdown:/bin/umount -a -r"
} > /etc/inittab

cpus=$(grep -c ^processor /proc/cpuinfo)
memory=$(awk '/^MemTotal/ {print int($2 / 1024)}' /proc/meminfo)
echo "$(hostname): ready, Linux $(uname -r), $cpus CPU, $memory MiB"
exec /bin/init

#!/bin/sh
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# to_prefix UID: turns a host of the lab into one of a site that has built Slurm itself, with Debian's programs. They and
# their plugins move to /opt/slurm/VERSION with the link /opt/slurm/current, the configuration to /opt/slurm/etc. Units
# are those of Slurm's own sources, SlurmUser has the uid UID. Nothing stays at Debian's paths. All daemons are stopped.
set -eu
uid=$1
systemctl stop slurmrestd slurmd slurmctld slurmdbd 2> /dev/null || true

# A build has all of its plugins. Before 22.05 there is no package for this one alone.
[ -z "$(apt-cache search --names-only '^slurm-wlm-jwt-plugin$')" ] \
    || apt-get -qq --yes --no-install-recommends install slurm-wlm-jwt-plugin > /dev/null
version=$(dpkg-query -W -f '${Version}' slurm-wlm-basic-plugins)
version=${version%%[-+]*}
to=/opt/slurm/$version
mkdir -p "$to/bin" "$to/sbin" "$to/lib" /opt/slurm/etc /etc/sysconfig
ln -sfn "$version" /opt/slurm/current

packages=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 'slurm*' | sed -n 's/^installed //p')
for path in $(dpkg -L $packages | sort -u); do
    [ -f "$path" ] || continue
    name=${path##*/}
    case $path in
        /usr/bin/*) mv "$path" "$to/bin/${name%-wlm}" ;;
        /usr/sbin/*) mv "$path" "$to/sbin/${name%-wlm}" ;;
        /usr/lib/systemd/*) rm "$path" ;;
    esac
done
# Debian's alternatives are broken now.
find /usr/bin /usr/sbin -xtype l -delete
mv /usr/lib/*-linux-gnu/slurm-wlm "$to/lib/slurm"
echo /opt/slurm/current/lib/slurm > /etc/ld.so.conf.d/slurm.conf
ldconfig

mv /etc/slurm/* /opt/slurm/etc/
rmdir /etc/slurm
for file in /opt/slurm/etc/slurm.conf /opt/slurm/etc/slurmdbd.conf; do
    [ ! -f "$file" ] || echo PluginDir=/opt/slurm/current/lib/slurm >> "$file"
done

old=$(id -u slurm)
usermod -u "$uid" slurm
groupmod -g "$uid" slurm
usermod -g "$uid" slurm
find /opt/slurm /var/log/slurm /var/lib/slurm -xdev -uid "$old" -exec chown -h "$uid:$uid" {} +
[ ! -d /var/lib/slurm/slurmctld ] || chown -R "$uid:$uid" /var/lib/slurm/slurmctld
id slurmrestd > /dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin slurmrestd

# A build knows its own folders. Debian's programs need them here.
echo SLURM_CONF=/opt/slurm/etc/slurm.conf > /etc/sysconfig/slurmctld
echo SLURM_CONF=/opt/slurm/etc/slurm.conf > /etc/default/slurmdbd
echo 'SLURMD_OPTIONS="-f /opt/slurm/etc/slurm.conf -d /opt/slurm/current/sbin/slurmstepd"' > /etc/sysconfig/slurmd
echo SLURM_CONF=/opt/slurm/etc/slurm.conf > /etc/default/slurmrestd

# Before 23.02 daemons do not tell systemd when they are ready; the oldest do not know -s.
case $version in
    20.* | 21.* | 22.*) options=-D type=simple slurmdbd_options=-D ;;
    *) options=--systemd type=notify slurmdbd_options='-D -s' ;;
esac

# unit DAEMON CONF AFTER COMMAND: writes a unit as Slurm's sources have it. Its other lines are on standard input.
unit() {
    {
        cat <<UNIT
[Unit]
Description=Slurm $1
After=network-online.target remote-fs.target $3
Wants=network-online.target
ConditionPathExists=/opt/slurm/etc/$2

[Service]
EnvironmentFile=-/etc/sysconfig/$1
EnvironmentFile=-/etc/default/$1
ExecStart=/opt/slurm/current/sbin/$4
ExecReload=/bin/kill -HUP \$MAINPID
UNIT
        cat
        printf '\n[Install]\nWantedBy=multi-user.target\n'
    } > "/etc/systemd/system/$1.service"
}

if [ -f /opt/slurm/etc/slurm.conf ]; then
    unit slurmctld slurm.conf 'munge.service sssd.service' "slurmctld $options \$SLURMCTLD_OPTIONS" <<UNIT
Type=$type
User=slurm
Group=slurm
RuntimeDirectory=slurmctld
RuntimeDirectoryMode=0755
LimitNOFILE=65536
TasksMax=infinity
UNIT
    unit slurmd slurm.conf 'munge.service sssd.service' "slurmd $options \$SLURMD_OPTIONS" <<UNIT
Type=$type
RuntimeDirectory=slurm
RuntimeDirectoryMode=0755
KillMode=process
LimitNOFILE=131072
LimitMEMLOCK=infinity
LimitSTACK=infinity
Delegate=yes
UNIT
    unit slurmrestd slurm.conf slurmctld.service 'slurmrestd $SLURMRESTD_OPTIONS' <<'UNIT'
Type=simple
User=slurmrestd
Group=slurmrestd
Environment=SLURM_JWT=daemon
Environment=SLURMRESTD_LISTEN=:6820
UNIT
else
    unit slurmdbd slurmdbd.conf 'munge.service mysql.service mysqld.service mariadb.service sssd.service' \
        "slurmdbd $slurmdbd_options \$SLURMDBD_OPTIONS" <<'UNIT'
Type=simple
User=slurm
Group=slurm
RuntimeDirectory=slurmdbd
RuntimeDirectoryMode=0755
LimitNOFILE=65536
TasksMax=infinity
UNIT
fi
systemctl daemon-reload

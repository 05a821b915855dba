#!/bin/sh
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# to_prefix UID: makes of a host of the lab one of a site that has built Slurm itself. Debian's programs stand in: they
# and their plugins go to /opt/slurm/VERSION with the link /opt/slurm/current, the configuration to /opt/slurm/etc. Units
# are those of Slurm's own sources, SlurmUser has the number UID. Nothing is left where Debian had it. All is stopped.
set -eu
uid=$1
systemctl stop slurmrestd slurmd slurmctld slurmdbd 2> /dev/null || true

# A build has all of its plugins.
apt-get -qq --yes --no-install-recommends install slurm-wlm-jwt-plugin > /dev/null
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
# Debian's alternatives lead nowhere now.
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

unit() {
    cat > "/etc/systemd/system/$1.service"
}
# A build knows its own folders. Debian's has to be told.
echo SLURM_CONF=/opt/slurm/etc/slurm.conf > /etc/sysconfig/slurmctld
echo SLURM_CONF=/opt/slurm/etc/slurm.conf > /etc/default/slurmdbd
echo 'SLURMD_OPTIONS="-f /opt/slurm/etc/slurm.conf -d /opt/slurm/current/sbin/slurmstepd"' > /etc/sysconfig/slurmd
echo SLURM_CONF=/opt/slurm/etc/slurm.conf > /etc/default/slurmrestd

if [ -f /opt/slurm/etc/slurm.conf ]; then
    unit slurmctld <<'UNIT'
[Unit]
Description=Slurm controller daemon
After=network-online.target remote-fs.target munge.service sssd.service
Wants=network-online.target
ConditionPathExists=/opt/slurm/etc/slurm.conf

[Service]
Type=notify
EnvironmentFile=-/etc/sysconfig/slurmctld
EnvironmentFile=-/etc/default/slurmctld
User=slurm
Group=slurm
RuntimeDirectory=slurmctld
RuntimeDirectoryMode=0755
ExecStart=/opt/slurm/current/sbin/slurmctld --systemd $SLURMCTLD_OPTIONS
ExecReload=/bin/kill -HUP $MAINPID
LimitNOFILE=65536
TasksMax=infinity

[Install]
WantedBy=multi-user.target
UNIT
    unit slurmd <<'UNIT'
[Unit]
Description=Slurm node daemon
After=munge.service network-online.target remote-fs.target sssd.service
Wants=network-online.target

[Service]
Type=notify
EnvironmentFile=-/etc/sysconfig/slurmd
EnvironmentFile=-/etc/default/slurmd
RuntimeDirectory=slurm
RuntimeDirectoryMode=0755
ExecStart=/opt/slurm/current/sbin/slurmd --systemd $SLURMD_OPTIONS
ExecReload=/bin/kill -HUP $MAINPID
KillMode=process
LimitNOFILE=131072
LimitMEMLOCK=infinity
LimitSTACK=infinity
Delegate=yes

[Install]
WantedBy=multi-user.target
UNIT
    unit slurmrestd <<'UNIT'
[Unit]
Description=Slurm REST daemon
After=network-online.target remote-fs.target slurmctld.service
Wants=network-online.target
ConditionPathExists=/opt/slurm/etc/slurm.conf

[Service]
Type=simple
EnvironmentFile=-/etc/sysconfig/slurmrestd
EnvironmentFile=-/etc/default/slurmrestd
User=slurmrestd
Group=slurmrestd
ExecStart=/opt/slurm/current/sbin/slurmrestd $SLURMRESTD_OPTIONS
Environment=SLURM_JWT=daemon
Environment=SLURMRESTD_LISTEN=:6820
ExecReload=/bin/kill -HUP $MAINPID

[Install]
WantedBy=multi-user.target
UNIT
else
    unit slurmdbd <<'UNIT'
[Unit]
Description=Slurm DBD accounting daemon
After=network-online.target remote-fs.target munge.service mysql.service mysqld.service mariadb.service sssd.service
Wants=network-online.target
ConditionPathExists=/opt/slurm/etc/slurmdbd.conf

[Service]
Type=simple
EnvironmentFile=-/etc/sysconfig/slurmdbd
EnvironmentFile=-/etc/default/slurmdbd
User=slurm
Group=slurm
RuntimeDirectory=slurmdbd
RuntimeDirectoryMode=0755
ExecStart=/opt/slurm/current/sbin/slurmdbd -D -s $SLURMDBD_OPTIONS
ExecReload=/bin/kill -HUP $MAINPID
LimitNOFILE=65536
TasksMax=infinity

[Install]
WantedBy=multi-user.target
UNIT
fi
systemctl daemon-reload

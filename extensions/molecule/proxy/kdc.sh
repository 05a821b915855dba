#!/bin/sh
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# kdc.sh HOST: a Kerberos realm with a few users, all of whose password is "lab", and the key of the web server on HOST.
set -eu
cat > /etc/krb5.conf <<END
[libdefaults]
default_realm = LAB.EXAMPLE
dns_lookup_realm = false
dns_lookup_kdc = false
rdns = false
[realms]
LAB.EXAMPLE = {
    kdc = idp1
}
[domain_realm]
.dns.podman = LAB.EXAMPLE
END
mkdir -p /var/lib/krb5kdc
kdb5_util create -s -r LAB.EXAMPLE -P "$(head -c 16 /dev/urandom | base64)"
for user in alice bob root eve nemo; do kadmin.local -q "addprinc -pw lab $user"; done
# Its name, and the name of its address in the lab.
for name in "$1" "$1.dns.podman"; do
    kadmin.local -q "addprinc -randkey HTTP/$name"
    kadmin.local -q "ktadd -k /root/http.keytab HTTP/$name"
done
systemctl restart krb5-kdc

#!/bin/sh
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# two_at_once INVENTORY SITE: starts a second rotation during the first one, and prints its output.
set -eu
inventory=$1 site=$2
rotate() {
    ansible-playbook --inventory="$inventory" --extra-vars="@$site" hpc.slurm_jwt.rotate \
        --extra-vars="slurm_jwt_key_serial=$1"
}
key=/var/lib/slurm/slurmctld/jwt_hs256.key.next
rotate fourth > /dev/null &
first=$!
until ssh -n -F "${inventory%/*}/ssh_config" ctl1 test -e $key; do
    sleep 0.2
done
second=0
rotate fifth || second=$?
wait $first
exit $second

#!/usr/bin/env bash
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Commands of a user under munge during a rollout. Each line of the log is a failed command, the last one has the sums. The
# argument "accounting" adds commands for slurmdbd.
set -u
runs=0 failed=0 slowest=0 rounds=0
trap 'echo "runs=$runs failed=$failed slowest_ms=$slowest"; exit 0' TERM INT
try() {
    local begin=${EPOCHREALTIME/./} took said
    runs=$((runs + 1))
    if ! said=$("$@" 2>&1); then
        failed=$((failed + 1))
        echo "$(date +%T.%N) $*: $said"
    fi
    took=$(((${EPOCHREALTIME/./} - begin) / 1000))
    ((took > slowest)) && slowest=$took
}
while true; do
    try sinfo
    # Each job runs for longer than all other commands together.
    ((rounds++ % 5)) || try sbatch --quiet --output=/dev/null --wrap=true
    [[ ${1-} != accounting ]] || try sacct --allusers --allocations
    sleep 0.1 &
    wait $!
done

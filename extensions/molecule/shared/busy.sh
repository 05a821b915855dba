#!/usr/bin/env bash
# Users at work under munge while JWT is rolled out: each line of the log is a command that failed, the last one counts.
# Called with the word "accounting" where slurmdbd keeps accounts.
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
    # Each job keeps a node at work for longer than all questions together.
    ((rounds++ % 5)) || try sbatch --quiet --output=/dev/null --wrap=true
    [[ ${1-} != accounting ]] || try sacct --allusers --allocations
    sleep 0.1 &
    wait $!
done

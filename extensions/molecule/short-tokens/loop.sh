#!/bin/sh
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# loop.sh HEADER_FILE URL...: requests each URL with curl once per second until SIGTERM, then prints the number of requests
# and the failures.
header=$1
shift
requests=0 wrong=
end() {
    printf '{"requests": %d, "wrong": "%s"}\n' "$requests" "$wrong"
    exit 0
}
trap end TERM
while :; do
    for url; do
        status=$(curl --silent --max-time 20 --output /dev/null --write-out '%{http_code}' --header "@$header" "$url")
        requests=$((requests + 1))
        [ "$status" = 200 ] || wrong="$wrong $status"
    done
    sleep 1
done

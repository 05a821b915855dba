# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the lab: real Slurm clusters in containers, without JWT."""

from __future__ import annotations

import argparse
import os
import sys

import clusters
import hosts
import images
from progress import LabError
from releases import PACKAGED, RELEASES, release_named


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="lab", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    build = commands.add_parser("images", help="build the images that are missing")
    build.add_argument("release", nargs="*", help=f"of {', '.join(RELEASES)}; default: {', '.join(PACKAGED)}")

    up = commands.add_parser("up", help="start a new cluster, and remove an earlier one of that name")
    up.add_argument("release", help=f"one of {', '.join(RELEASES)}")
    up.add_argument("--name", help="of the cluster; default: the release")
    up.add_argument("--share-conf", action="store_true", help="all hosts see one /etc/slurm")
    up.add_argument("--hosts", help=f"default: {','.join(hosts.DEFAULT_HOSTS)}")

    down = commands.add_parser("down", help="remove a cluster and everything that belongs to it")
    down.add_argument("name", nargs="?", help="of the cluster, or its release")
    down.add_argument("--all", action="store_true", help="every cluster of the lab")

    commands.add_parser("status", help="show the clusters and their hosts")

    run = commands.add_parser("run", help="run a command on a host, as root")
    run.add_argument("name", help="of the cluster, or its release")
    run.add_argument("host")
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="-- CMD")
    return top


def main() -> int:
    arguments = parser().parse_args()
    if os.geteuid() != 0:
        raise LabError("The lab needs root: its hosts boot systemd, and are reached on a network of this machine.")
    if arguments.command == "images":
        images.build_all([release_named(name) for name in arguments.release or PACKAGED])
    elif arguments.command == "up":
        clusters.up(clusters.of_arguments(arguments.release, arguments.name, arguments.hosts,
                                          arguments.share_conf))
    elif arguments.command == "down":
        if bool(arguments.name) == arguments.all:
            raise LabError("Name the cluster to remove, or use --all.")
        for name in clusters.names() if arguments.all else [arguments.name]:
            clusters.down(clusters.checked(name))
    elif arguments.command == "status":
        clusters.status()
    else:
        words = arguments.words[1:] if arguments.words[:1] == ["--"] else arguments.words
        name = clusters.checked(arguments.name)
        return clusters.run(name, arguments.host, words or ["bash", "-l"], sys.stdin.isatty())
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(f"lab: {error}")
    except KeyboardInterrupt:
        sys.exit("lab: interrupted")

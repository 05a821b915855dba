# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests what users of the lab's clusters rely on, on new clusters."""

from __future__ import annotations

import subprocess
import sys
import unittest

import clusters
from podman import podman
from progress import LabError, wait_for
from releases import PACKAGED, Release, release_named

DAEMONS = {"ctl1": "slurmctld", "dbd1": "slurmdbd", "node1": "slurmd"}


class ACluster(unittest.TestCase):
    """One release; test_of() makes a subclass for each. The tests only install packages."""

    cluster: clusters.Cluster

    @classmethod
    def setUpClass(cls) -> None:
        clusters.up(cls.cluster)

    @classmethod
    def tearDownClass(cls) -> None:
        clusters.down(cls.cluster.name)

    def on(self, host: str, *command: str) -> str:
        return podman("exec", clusters.container_of(self.cluster.name, host), *command)

    def as_alice(self, host: str, command: str) -> str:
        return self.on(host, "runuser", "-u", "alice", "--", "sh", "-c", f"cd && {command}")

    def test_daemons_are_enabled_units_that_run(self) -> None:
        for host, daemon in DAEMONS.items():
            with self.subTest(daemon):
                self.assertEqual(self.on(host, "systemctl", "is-active", daemon, "munge"), "active\nactive")
                self.assertEqual(self.on(host, "systemctl", "is-enabled", daemon), "enabled")

    def test_nothing_else_of_slurm_runs(self) -> None:
        for host in self.cluster.hosts:
            running = self.on(host, "sh", "-c", "ps -C slurmctld,slurmdbd,slurmd,slurmrestd -o comm= | sort -u")
            self.assertEqual(running, DAEMONS.get(host, ""), host)

    def test_no_unit_failed(self) -> None:
        for host in self.cluster.hosts:
            self.assertEqual(self.on(host, "systemctl", "--failed", "--no-legend", "--plain"), "", host)

    def test_release(self) -> None:
        self.assertIn(self.cluster.release.name, self.on("ctl1", "slurmctld", "-V"))

    def test_jwt_is_off(self) -> None:
        config = self.on("rest1", "scontrol", "show", "config")
        self.assertRegex(config, r"AuthAltTypes\s*=\s*\(null\)")
        for host, path in (("ctl1", "slurm.conf"), ("dbd1", "slurmdbd.conf")):
            self.assertNotIn("AuthAlt", self.on(host, "cat", f"/etc/slurm/{path}"))

    def test_jobs_run_and_are_accounted_for(self) -> None:
        self.assertEqual(self.as_alice("rest1", "srun hostname"), "node1")
        job = self.as_alice("node1", "sbatch --parsable --wrap hostname")

        def is_accounted_for() -> bool:
            return self.on("rest1", "sacct", "-XPnj", job, "-o", "User,Account,State") == "alice|research|COMPLETED"

        wait_for(f"sacct's row of job {job}", is_accounted_for, at_most=20)
        self.assertEqual(self.as_alice("node1", f"cat slurm-{job}.out"), "node1")

    def test_slurm_conf_is_the_same_everywhere(self) -> None:
        sums = {self.on(host, "sha256sum", "/etc/slurm/slurm.conf") for host in ("ctl1", "rest1", "node1")}
        self.assertEqual(len(sums), 1)

    def test_files_as_slurm_demands_them(self) -> None:
        self.assertEqual(self.on("dbd1", "stat", "-c", "%U:%G %a", "/etc/slurm/slurmdbd.conf"), "slurm:slurm 600")
        self.assertEqual(self.on("ctl1", "stat", "-c", "%U", "/var/lib/slurm/slurmctld"), "slurm")

    def test_hosts_know_each_other(self) -> None:
        for host in self.cluster.hosts:
            self.assertEqual(self.on(host, "hostname"), host)
            self.assertEqual(self.on(host, "getent", "hosts", *self.cluster.hosts).split()[1::2],
                             list(self.cluster.hosts))

    def test_alice_is_the_same_everywhere(self) -> None:
        self.assertEqual({self.on(host, "id", "-u", "alice") for host in self.cluster.hosts}, {"2001"})

    def test_ssh(self) -> None:
        command = ("ssh", "-F", str(self.cluster.folder / "ssh_config"), "rest1", "hostname")
        self.assertEqual(subprocess.check_output(command, text=True), "rest1\n")

    def test_packages_of_jwt_wait_and_install_without_a_network(self) -> None:
        waiting = self.cluster.release.waiting
        status = "dpkg-query -W -f '${db:Status-Status} ' \"$@\" 2> /dev/null || true"
        self.assertNotIn("installed", self.on("rest1", "sh", "-c", status, "-", *waiting).split())
        self.on("rest1", "ip", "route", "delete", "default")
        self.on("rest1", "apt-get", "-qq", "--yes", "--no-install-recommends", "install", *waiting)
        self.on("rest1", "python3", "-c", "import jwt, cryptography")
        versions = "dpkg-query -W -f '${Version}\\n' slurmctld slurm-wlm-basic-plugins slurm-wlm-jwt-plugin | sort -u"
        self.assertEqual(len(self.on("rest1", "sh", "-c", f"{versions} 2> /dev/null").split()), 1)
        self.on("rest1", "sh", "-c", "ls /usr/lib/*/slurm*/auth_jwt.so")


def test_of(release: Release) -> type[ACluster]:
    name = f"selftest-{release.name}"
    return type(f"Slurm_{release.name}", (ACluster,), {"cluster": clusters.Cluster(name, release)})


def main() -> int:
    suite = unittest.TestSuite()
    for name in sys.argv[1:] or PACKAGED:
        suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(test_of(release_named(name))))
    return 0 if unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful() else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(f"selftest: {error}")

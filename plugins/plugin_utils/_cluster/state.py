# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that is known about a cluster before a run. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.cluster import Cluster
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.conf_files import ConfFiles
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.daemons import Daemons
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.desired_state import Desired, Observed
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.keys import Keys
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.openmetrics import OpenMetricsKey


class ClusterState(NamedTuple):
    """A cluster with its keys, files and daemons."""

    cluster: Cluster
    keys: Keys
    conf_files: ConfFiles
    daemons: Daemons
    openmetrics: OpenMetricsKey


def cluster_state(
    observations: Mapping[str, Observed], components: Mapping[str, Sequence[str]], desired: Desired
) -> ClusterState:
    cluster = Cluster(observations, components, desired)
    keys = Keys(cluster)
    conf_files = ConfFiles(cluster, keys)
    metrics = OpenMetricsKey(cluster)
    return ClusterState(cluster, keys, conf_files, Daemons(cluster, keys, conf_files, metrics), metrics)

#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_jwt_info
short_description: Inspect the JWT setup of a host of a Slurm cluster
version_added: 1.0.0
description:
  - Reads Slurm's release, both configuration files as Slurm reads them, the signing key, the plugins and the daemons
    of a host, all in one run, and changes nothing.
  - Lists as RV(problems) everything that would make a rollout fail or that somebody should know, each with what was
    found, its effect on the cluster, and what to do.
  - With O(declared), reports which parameters of both files a rollout would change.
  - A key or a token never appears in the result, only fingerprints, sizes, owners and modes.
extends_documentation_fragment:
  - hpc.slurm_jwt.attributes
  - hpc.slurm_jwt.attributes.info_module
options:
  components:
    description:
      - What this host is in the cluster. Only what these components need is inspected.
      - V(node) is a compute or login host that keeps its own slurm.conf or gets it from the controller (configless).
      - If not given, the components are those whose systemd units are enabled or running, or V(node) if there are none.
        With O(minimal=true) it is V(node).
    type: list
    elements: str
    choices: [slurmctld, slurmdbd, slurmrestd, node]
  conf_path:
    description: The cluster's slurm.conf.
    type: path
    default: /etc/slurm/slurm.conf
  dbd_conf_path:
    description: The file slurmdbd.conf.
    type: path
    default: /etc/slurm/slurmdbd.conf
  key_path:
    description:
      - The signing key.
      - If not given, the one that C(jwt_key=) in C(AuthAltParameters) names, else C(jwt_hs256.key) in the
        C(StateSaveLocation) that slurm.conf names.
    type: path
  jwks_path:
    description:
      - The file of trusted RS256 keys.
      - If not given, the one that C(jwks=) in C(AuthAltParameters) names, if any.
    type: path
  declared:
    description: The members of C(AuthAltTypes) and C(AuthAltParameters) that the site declares. Others stay as they
      are.
    type: dict
    suboptions:
      auth_alt_types:
        description: Members that C(AuthAltTypes) must have.
        type: list
        elements: str
        default: []
      auth_alt_types_absent:
        description: Members that C(AuthAltTypes) must not have.
        type: list
        elements: str
        default: []
      parameters:
        description:
          - Members that C(AuthAltParameters) must have, name to value. V(true) is a member without a value, such as
            C(disable_token_creation). V(false) is a member that must not be there.
          - C(jwt_key) and C(jwks) may be null or empty. The path is then that of RV(key_path) and RV(jwks) on this
            host.
          - C(disable_token_creation) and C(max_token_lifespan) have an effect in slurm.conf only, and are
            left out of slurmdbd.conf.
        type: dict
        default: {}
      parameters_absent:
        description: Names of members that C(AuthAltParameters) must not have.
        type: list
        elements: str
        default: []
      openmetrics:
        description:
          - Metrics of slurmctld under a token, which has a key of its own. Slurm 26.05 and later.
          - If not given, C(MetricsType), C(MetricsAuthUsers) and C(SlurmctldHttpAuthParameters) stay as they are.
        type: dict
        suboptions:
          users:
            description:
              - Users whose tokens may read metrics. They must exist on the controllers.
              - An empty list is for metrics that must be switched off, if they were switched on with this key.
            type: list
            elements: str
          key_path:
            description:
              - The key that signs these tokens.
              - By default C(openmetrics_hs256.key) in the C(StateSaveLocation) that slurm.conf names.
            type: str
  asked_at:
    description:
      - The time by the clock of the host where Ansible runs, in seconds since 1970, such as C(now().timestamp()) in a
        template. RV(clock_lag) counts from it.
    type: float
  minimal:
    description:
      - Whether only what a rollout needs of a node is returned, as a cluster may have thousands.
      - RV(conf) has C(path), C(exists), C(configless), C(identities), C(auth_alt_types) and C(auth_alt_parameters)
        only. RV(capabilities), RV(rest_versions), RV(daemons) and RV(python) are left out, and so is every other result
        that is null or empty.
      - Only for a host that is a node and nothing else.
    type: bool
    default: false
  clusters:
    description:
      - Whether a controller asks slurmdbd, with C(sacctmgr), which clusters it serves. It may take ten seconds if
        slurmdbd does not answer.
    type: bool
    default: false
  slurmctld_service:
    description: The systemd unit of slurmctld.
    type: str
    default: slurmctld
  slurmdbd_service:
    description: The systemd unit of slurmdbd.
    type: str
    default: slurmdbd
  slurmrestd_service:
    description: The systemd unit of slurmrestd.
    type: str
    default: slurmrestd
  slurmrestd_listen:
    description:
      - The declared addresses of slurmrestd, each V(HOST:PORT) or V(unix:PATH).
      - Another program that listens there is reported, since slurmrestd would not start.
    type: list
    elements: str
    default: []
  slurmrestd_user:
    description:
      - The declared user of slurmrestd. It is reported if it is root or SlurmUser, or cannot read slurm.conf. Left
        empty, it is not checked.
    type: str
    default: ""
  slurmrestd_group:
    description: The declared group of slurmrestd. Empty for the primary group of its user.
    type: str
    default: ""
  slurmd_service:
    description: The systemd unit of slurmd.
    type: str
    default: slurmd
  bin_dirs:
    description: Folders to search for Slurm's programs, before the usual ones.
    type: list
    elements: path
    default: []
  plugin_dir:
    description:
      - The folder of Slurm's plugins.
      - If not given, C(PluginDir) of the configuration, else the usual folders below the prefix of Slurm's programs.
    type: path
  slurmrestd_binary:
    description:
      - The program that a rollout names in slurmrestd's unit. RV(undeclared) reports another one in the unit.
      - If not given, it is not checked.
    type: path
  proxy:
    description:
      - What the role P(hpc.slurm_jwt.slurm_jwt_proxy#role) makes on this host, so that the same module run inspects
        it. See RV(proxy).
      - Not for a host with O(components=node) alone.
    type: dict
    suboptions:
      files:
        description: Files, folders and links that the role makes. The content of files is read for a fingerprint.
        type: list
        elements: str
        default: []
      site_files:
        description: Files of the site, the token, and the socket of slurmrestd. Their content is not read.
        type: list
        elements: str
        default: []
      units:
        description: Units of systemd with their suffix, such as V(nginx.service).
        type: list
        elements: str
        default: []
      packages:
        description: Packages of the distribution.
        type: list
        elements: str
        default: []
      user:
        description: The user that the verifier runs as.
        type: str
        required: true
      python:
        description: The Python that runs the role's programs.
        type: path
        required: true
      program_folder:
        description: The folder of the role's programs.
        type: path
        required: true
      watched_file:
        description: The list of files that the server and the verifier load. Empty if they are not checked.
        type: str
        default: ""
      password_file:
        description: The file that the verifier reads passwords from. Empty if there is none.
        type: str
        default: ""
      listens:
        description: Files and folders in which Apache's addresses are searched. Empty for other servers.
        type: list
        elements: str
        default: []
seealso:
  - module: hpc.slurm_jwt.slurm_conf
  - module: hpc.slurm_jwt.slurm_jwt_key
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Inspect the components that this host has
  hpc.slurm_jwt.slurm_jwt_info:
  register: inspected

- name: Show its problems
  ansible.builtin.debug:
    msg: "{{ problem.found }} {{ problem.effect }} {{ problem.remedy }}"
  loop: "{{ inspected.problems | rejectattr('severity', 'eq', 'info') }}"
  loop_control:
    loop_var: problem
    label: "{{ problem.code }}"

- name: Find out what a rollout would change on a controller
  hpc.slurm_jwt.slurm_jwt_info:
    components: [slurmctld]
    declared:
      auth_alt_types: [auth/jwt]
      parameters:
        jwt_key:                      # empty - the path on this host
        disable_token_creation: true
  register: inspected

- name: Refuse a host on which a rollout would fail
  ansible.builtin.assert:
    that: inspected.problems | selectattr('severity', 'eq', 'error') | length == 0
"""

RETURN = r"""
now:
  description: The host's clock, in seconds since 1970. Clocks that differ make good tokens look expired.
  returned: success
  type: float
  sample: 1795405500.25
clock_lag:
  description:
    - Seconds from O(asked_at) to RV(now), which is the time until the module ran, plus the difference of the two
      clocks. Compare it with that of another host to find out whether their clocks agree. Null without O(asked_at).
  returned: success
  type: float
  sample: 0.42
clock_lag_least:
  description:
    - The same by the time at which the answer of the host arrived. So the clock of the host is ahead by at least these
      seconds, and by RV(clock_lag) at most. Null without O(asked_at).
  returned: success
  type: float
  sample: -0.35
os_family:
  description: The family of the host's distribution, V(Debian), V(RedHat) or V(Suse), by C(/etc/os-release). Null for
    others.
  returned: success
  type: str
  sample: Debian
hostname:
  description: The host name that the kernel reports.
  returned: success
  type: str
  sample: ctl1
components:
  description: The components that were inspected.
  returned: success
  type: list
  elements: str
  sample: [slurmctld]
program:
  description: The program that reported the release. Null if there is none.
  returned: success
  type: str
  sample: /usr/sbin/slurmctld
release:
  description: Slurm's release on this host. Null if it is not known; RV(problems) says why.
  returned: success
  type: str
  sample: 24.11.5
capabilities:
  description: What this release can do, by name. Empty without RV(release).
  returned: success
  type: dict
  sample:
    jwks: true
    reconfigure_reloads_auth: true
    client_ids: false
rest_versions:
  description: The versions of the REST API that slurmrestd of this release serves, oldest first.
  returned: success
  type: list
  elements: str
  sample: [v0.0.40, v0.0.41, v0.0.42]
conf:
  description:
    - The file slurm.conf as it is in effect. Null on a host that needs none.
    - Only C(path), C(exists) and C(configless) where it is missing or cannot be read.
  returned: success
  type: dict
  contains:
    path:
      description: The file that was read.
      type: str
      sample: /etc/slurm/slurm.conf
    exists:
      description: Whether it exists.
      type: bool
      sample: true
    configless:
      description: Whether it is the controller's copy, on a host that has no file of its own.
      type: bool
      sample: false
    files:
      description: The file and all that it includes.
      type: list
      elements: str
      sample: [/etc/slurm/slurm.conf]
    identities:
      description:
        - Which file each of them is, to recognise two hosts that see the same file.
        - C(here) is its name under one running kernel, null if that is not known. C(anywhere) is the same on every host
          that has a network file system mounted.
        - C(network) says whether it is on one, C(may_be_shared) whether other hosts may see it.
        - C(obstacle) says why it cannot be edited on this host; null if no obstacle is known.
      type: list
      elements: dict
      sample:
        - path: /etc/slurm/slurm.conf
          here: "7b1c2b9e-4a6d-4f0c-9a9b-6f6c2d1e0a55:51:262151"
          anywhere: "262151:1795400000123456789:2184"
          network: true
          may_be_shared: true
          obstacle: null
    checksum:
      description: SHA-256 over the bytes of all of them, to compare hosts.
      type: str
      sample: 2ef7bde608ce5404e97d5f042f95f89f1c232871d2c9ef4f3a7bd0d9f3bbe2f5
    owner:
      description: Owner of the file.
      type: str
      sample: root
    group:
      description: Group of the file.
      type: str
      sample: root
    mode:
      description: Permissions of the file.
      type: str
      sample: "0644"
    cluster_name:
      description: C(ClusterName).
      type: str
      sample: lab
    slurm_user:
      description: C(SlurmUser).
      type: str
      sample: slurm
    auth_type:
      description: C(AuthType); null if it is not given.
      type: str
      sample: auth/munge
    state_save_location:
      description: C(StateSaveLocation).
      type: str
      sample: /var/lib/slurm/slurmctld
    plugin_dir:
      description: C(PluginDir); null if it is not given.
      type: str
      sample: /usr/lib64/slurm
    auth_alt_types:
      description: Members of C(AuthAltTypes).
      type: list
      elements: str
      sample: [auth/jwt]
    auth_alt_parameters:
      description: Members of C(AuthAltParameters) that Slurm reads, name to value; the value of a flag is empty.
      type: dict
      sample: {jwt_key: /var/lib/slurm/slurmctld/jwt_hs256.key, disable_token_creation: ""}
    jwt_enabled:
      description: Whether the file enables JWT.
      type: bool
      sample: true
    key_path:
      description: The HS256 key that slurmctld loads. Null if it loads none, as with C(jwks=) alone.
      type: str
      sample: /var/lib/slurm/slurmctld/jwt_hs256.key
    jwks_path:
      description: The value of C(jwks=). Null if it is not given.
      type: str
      sample: /etc/slurm/jwks.json
    controllers:
      description: Names and addresses of the controllers, primary first.
      type: list
      elements: dict
      sample: [{name: ctl1, address: ctl1}]
    controller_index:
      description: Which of the controllers this host is, from 0; null if none of them has its name.
      type: int
      sample: 0
    enable_configless:
      description: Whether slurmctld serves slurm.conf to hosts that have none.
      type: bool
      sample: false
    accounting:
      description: Whether the cluster keeps accounts in slurmdbd.
      type: bool
      sample: true
    accounting_storage_host:
      description: C(AccountingStorageHost).
      type: str
      sample: dbd1
    accounting_storage_backup_host:
      description: C(AccountingStorageBackupHost); null if it is not given.
      type: str
      sample: dbd2
    slurmctld_port:
      description: The port that slurmctld listens on, the first of several.
      type: int
      sample: 6817
    slurmdbd_port:
      description: The port at which slurmctld connects to slurmdbd.
      type: int
      sample: 6819
    slurmctld_log_file:
      description: C(SlurmctldLogFile); null if it is not given.
      type: str
      sample: /var/log/slurm/slurmctld.log
dbd_conf:
  description:
    - The file slurmdbd.conf as it is in effect. Null on a host without slurmdbd.
    - Only C(path) and C(exists) where it is missing or cannot be read.
  returned: success
  type: dict
  contains:
    path:
      description: The file that was read.
      type: str
      sample: /etc/slurm/slurmdbd.conf
    exists:
      description: Whether it exists.
      type: bool
      sample: true
    files:
      description: The file and all that it includes.
      type: list
      elements: str
      sample: [/etc/slurm/slurmdbd.conf]
    identities:
      description: Which file each of them is, as in RV(conf.identities).
      type: list
      elements: dict
      sample: []
    checksum:
      description: SHA-256 over the bytes of all of them.
      type: str
      sample: 2ef7bde608ce5404e97d5f042f95f89f1c232871d2c9ef4f3a7bd0d9f3bbe2f5
    owner:
      description: Owner of the file.
      type: str
      sample: slurm
    group:
      description: Group of the file.
      type: str
      sample: slurm
    mode:
      description: Permissions of the file.
      type: str
      sample: "0600"
    slurm_user:
      description: C(SlurmUser).
      type: str
      sample: slurm
    auth_type:
      description: C(AuthType); null if it is not given.
      type: str
      sample: auth/munge
    plugin_dir:
      description: C(PluginDir); null if it is not given.
      type: str
      sample: /usr/lib64/slurm
    auth_alt_types:
      description: Members of C(AuthAltTypes).
      type: list
      elements: str
      sample: [auth/jwt]
    auth_alt_parameters:
      description: Members of C(AuthAltParameters) that Slurm reads, name to value.
      type: dict
      sample: {jwt_key: /var/lib/slurm/slurmctld/jwt_hs256.key}
    jwt_enabled:
      description: Whether the file enables JWT.
      type: bool
      sample: true
    key_path:
      description: The HS256 key that slurmdbd loads. Null if it loads none.
      type: str
      sample: /var/lib/slurm/slurmctld/jwt_hs256.key
    jwks_path:
      description: The value of C(jwks=). Null if it is not given.
      type: str
      sample: /etc/slurm/jwks.json
    dbd_host:
      description: C(DbdHost).
      type: str
      sample: dbd1
    dbd_backup_host:
      description: C(DbdBackupHost); null if it is not given.
      type: str
      sample: dbd2
    standby:
      description:
        - Whether C(DbdBackupHost) is this host. Its slurmdbd listens only while that of C(DbdHost) does not.
      type: bool
      sample: false
    dbd_port:
      description: The port that slurmdbd listens on.
      type: int
      sample: 6819
    log_file:
      description: C(LogFile); null if it is not given.
      type: str
      sample: /var/log/slurm/slurmdbd.log
slurm_user:
  description: The user that C(SlurmUser) names, as this host knows it. Null on nodes.
  returned: success
  type: dict
  sample: {name: slurm, exists: true, uid: 64030, gid: 64030, group: slurm}
key_path:
  description:
    - Where the key of this host is, or will be.
    - Null if that is not known, as on slurmdbd's host before the first rollout if it has no slurm.conf.
  returned: success
  type: str
  sample: /var/lib/slurm/slurmctld/jwt_hs256.key
key:
  description: The key at RV(key_path). Null on hosts that need none.
  returned: success
  type: dict
  contains:
    path:
      description: Its path.
      type: str
      sample: /var/lib/slurm/slurmctld/jwt_hs256.key
    exists:
      description: Whether it exists.
      type: bool
      sample: true
    folder_exists:
      description: Whether its folder exists.
      type: bool
      sample: true
    size:
      description: Its size in bytes.
      type: int
      sample: 32
    fingerprint:
      description: SHA-256 of it, to compare hosts. Null if it was not read.
      type: str
      sample: SHA256:5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9
    owner:
      description: Its owner.
      type: str
      sample: slurm
    group:
      description: Its group.
      type: str
      sample: slurm
    mode:
      description: Its permissions.
      type: str
      sample: "0400"
    serial:
      description: The label on record for it. Null if there is none.
      type: str
      sample: 2026-11
    created:
      description: When it was made, from its record or the file's modification time.
      type: str
      sample: "2026-11-23T03:45:00Z"
    age:
      description: Seconds since then.
      type: int
      sample: 86400
    by:
      description: Who had it made, where that is on record.
      type: str
      sample: root@mgmt1
    run:
      description: The run that is rotating to it. Null for a key in force.
      type: str
    run_age:
      description: Seconds since that run claimed it.
      type: int
    next:
      description:
        - The key that a rotation has staged, with C(fingerprint), C(owner), C(group), C(mode), C(serial),
          C(created), C(age), C(by), C(run) and C(run_age). Null if no rotation is under way.
      type: dict
    previous:
      description: The key before it, kept for a rollback, with the same members. Null if none is kept.
      type: dict
    weakness:
      description: Why it should not be used. Null for a good key.
      type: str
      sample: has 16 bytes only; an HS256 key has 32 at least
    inode:
      description: The number of the file in its file system.
      type: int
      sample: 262147
    modified:
      description: When the file was last written, in seconds since 1970.
      type: float
      sample: 1795400000.5
jwks:
  description: The file of trusted RS256 keys. Null if none is named.
  returned: success
  type: dict
  sample: {path: /etc/slurm/jwks.json, exists: true, owner: root, group: root, mode: "0644", kids: [a1, a2]}
openmetrics:
  description:
    - Metrics of slurmctld, and the key of the tokens that may read them. Null on a host without slurmctld, or without a
      slurm.conf that can be read.
  returned: success
  type: dict
  contains:
    serves:
      description: Whether C(MetricsType) switches metrics on.
      type: bool
      sample: true
    users:
      description: Members of C(MetricsAuthUsers).
      type: list
      elements: str
      sample: [prometheus]
    key_path:
      description: Where the key is, or will be. Null if none is declared and none is in force.
      type: str
      sample: /var/lib/slurm/slurmctld/openmetrics_hs256.key
    key:
      description: The key at RV(openmetrics.key_path), with the members of RV(key). Null without a path.
      type: dict
    in_force:
      description: The key that C(SlurmctldHttpAuthParameters) names. Null if it names none.
      type: str
      sample: /var/lib/slurm/slurmctld/openmetrics_hs256.key
    key_loaded:
      description: Whether slurmctld has that key loaded, as in RV(daemons).
      type: str
      sample: current
state_dir:
  description: The folder that C(StateSaveLocation) names. Null on hosts without slurmctld.
  returned: success
  type: dict
  contains:
    path:
      description: Its path.
      type: str
      sample: /var/lib/slurm/slurmctld
    exists:
      description: Whether it exists.
      type: bool
      sample: true
    owner:
      description: Its owner.
      type: str
      sample: slurm
    group:
      description: Its group.
      type: str
      sample: slurm
    mode:
      description: Its permissions.
      type: str
      sample: "0755"
    writable_by_others:
      description: Whether anyone but root and SlurmUser may write to it.
      type: bool
      sample: false
    mount:
      description: Where its file system is mounted.
      type: str
      sample: /
    source:
      description: What is mounted there.
      type: str
      sample: nfs1:/slurm
    fstype:
      description: The kind of file system.
      type: str
      sample: nfs4
    network:
      description: Whether several hosts may see it.
      type: bool
      sample: true
    identity:
      description:
        - Two controllers with the same value see the same folder. Null before slurmctld has ever run with it.
      type: str
      sample: "262151:1795400000123456789"
plugins:
  description: Slurm's plugins for JWT. Null on nodes.
  returned: success
  type: dict
  contains:
    dir:
      description: The folder of plugins. Null if none was found.
      type: str
      sample: /usr/lib/x86_64-linux-gnu/slurm-wlm
    auth_jwt:
      description: The path of C(auth_jwt.so). Null if it is missing.
      type: str
      sample: /usr/lib/x86_64-linux-gnu/slurm-wlm/auth_jwt.so
    rest_auth_jwt:
      description: The path of C(rest_auth_jwt.so). Null if it is missing.
      type: str
      sample: /usr/lib/x86_64-linux-gnu/slurm-wlm/rest_auth_jwt.so
    libjwt:
      description: The library that C(auth_jwt.so) needs, and where the linker finds it. Null if that is not known.
      type: dict
      sample: {name: libjwt.so.2, path: /lib/x86_64-linux-gnu/libjwt.so.2}
    packages:
      description: Distribution packages that contain what is missing, with the version of the installed Slurm.
      type: list
      elements: str
      sample: [slurm-wlm-jwt-plugin=24.11.5-4]
    unavailable:
      description: Those of them that no repository of this host has, as far as its package manager knows.
      type: list
      elements: str
      sample: []
python:
  description:
    - The Python that Ansible uses on this host, and the versions of its libraries; null if not installed or not
      checked.
    - C(served) says whether the distribution's packages are for this Python, C(distributions) which one is that of
      the distribution. C(unavailable) lists packages of missing libraries that no repository of this host has.
  returned: success
  type: dict
  sample:
    executable: /usr/bin/python3
    version: 3.13.5
    pyjwt: 2.10.1
    cryptography: null
    served: true
    distributions: /usr/bin/python3
    unavailable: []
clusters:
  description:
    - The clusters that slurmdbd serves. Null without O(clusters), and on a host that is not asked.
  returned: success
  type: dict
  contains:
    running:
      description: The names of those whose slurmctld runs.
      type: list
      elements: str
      sample: [atlas]
    error:
      description: Why they are not known. Null if they are.
      type: str
      sample: null
daemons:
  description:
    - The daemons of this host, each under its name. On a node that is slurmd, of which only the process is inspected.
  returned: success
  type: dict
  sample:
    slurmctld:
      service: slurmctld
      exists: true
      active: active
      sub: running
      enabled: enabled
      needs_reload: false
      pid: 411
      started: 1795400100.25
      user: slurm
      uid: 64030
      command: [/usr/sbin/slurmctld, --systemd]
      slurm_jwt: false
      key_loaded: current
      stale: []
      listens: []
      before_jwt: null
      dropin: null
  contains:
    DAEMON:
      description:
        - One of C(slurmctld), C(slurmdbd), C(slurmrestd) and C(slurmd).
        - C(exists), C(active), C(sub), C(enabled) and C(needs_reload) are what systemd reports of the C(service); null
          for slurmd. C(pid), C(started), C(user), C(uid) and C(command) are those of its main process. C(pid) is 0 if
          there is none.
        - C(slurm_jwt) says whether the process has SLURM_JWT in its environment.
        - C(key_loaded) is V(current) if the process has mapped the key file that is on disk, V(copied) if it has a
          private copy of it, V(replaced) if it has mapped one that was replaced, V(absent) if it has mapped none, and
          V(unknown) where that does not apply.
        - C(listens) has the addresses at which slurmrestd listens, each C(HOST:PORT) or C(unix:PATH).
        - C(before_jwt) says what slurmrestd was before a rollout wrote its drop-in, V(off), V(enabled), V(running) or
          V(enabled and running); null without such a drop-in. C(dropin) is its fingerprint, C(SHA256:) and 64
          hexadecimal digits; null unless it is a file of root's with mode 0644.
        - C(stale) has a sentence for each setting of the files that the process has not loaded. Such a daemon needs a
          reload or a restart.
      type: dict
differences:
  description:
    - What O(declared) would change, for each file the parameters that differ, with the value before and after. Empty
      without O(declared).
    - C(after) is null for a parameter that would be removed, and for one that needs RV(key_path) where that is null.
  returned: success
  type: dict
  sample:
    slurm_conf:
      - {parameter: AuthAltTypes, before: null, after: auth/jwt, path: /etc/slurm/slurm.conf}
    slurmdbd_conf: []
desired:
  description:
    - The members of C(AuthAltParameters) that each file must have and must not have, with the paths of this host, as
      options of M(hpc.slurm_jwt.slurm_conf). Null for a file that this host does not need, or without O(declared).
  returned: success
  type: dict
  sample:
    slurm_conf:
      parameters: {jwt_key: /var/lib/slurm/slurmctld/jwt_hs256.key, disable_token_creation: true}
      parameters_absent: []
    slurmdbd_conf: null
undeclared:
  description:
    - What the site has to set in its inventory, variable to value, because the running daemons or their units use other
      files, programs and units than the options say. RV(problems) says how each was found.
    - The rest of this result was read with these values.
  returned: success
  type: dict
  sample:
    slurm_jwt_conf_path: /opt/slurm/etc/slurm.conf
    slurm_jwt_bin_dirs: [/opt/slurm/current/bin, /opt/slurm/current/sbin]
proxy:
  description:
    - What there is of the authenticating proxy. Null without O(proxy).
  returned: success
  type: dict
  contains:
    files:
      description:
        - Each of O(proxy.files). C(kind) is V(file), V(directory), V(link), V(socket), V(other) or V(missing).
          C(owner), C(group) and C(mode) are null if it is missing. A link is not followed; C(target) is where it points
          to.
        - C(fingerprint) is C(SHA256:) and 64 hexadecimal digits, of the content of a file.
      type: list
      elements: dict
      sample:
        - path: /etc/slurm_jwt_proxy/policy.json
          kind: file
          owner: root
          group: slurm-jwt-proxy
          mode: "0640"
          target: null
          fingerprint: SHA256:2ef7bde608ce5404e97d5f042f95f89f1c232871d2c9ef4f3a7bd0d9f3bbe2f5
    site_files:
      description: Each of O(proxy.site_files) in the same way, without a fingerprint.
      type: list
      elements: dict
      sample:
        - path: /etc/slurm_jwt_proxy/token.conf
          kind: file
          owner: root
          group: root
          mode: "0400"
          target: null
          fingerprint: null
    units:
      description: Each of O(proxy.units) as systemd reports it. C(inaccessible) has the paths that it hides from its
        processes.
      type: list
      elements: dict
      sample:
        - {unit: nginx.service, active: active, enabled: enabled, needs_reload: false, inaccessible: []}
    packages:
      description: Those of O(proxy.packages) that are installed.
      type: list
      elements: str
      sample: [nginx]
    user:
      description: Home and shell of O(proxy.user). Null if there is no such user.
      type: dict
      sample: {home: /nonexistent, shell: /usr/sbin/nologin}
    other_programs:
      description: How many programs, or temporary files of programs, are in O(proxy.program_folder) besides
        O(proxy.files).
      type: int
      sample: 0
    listens:
      description: Lines by which Apache listens already, from O(proxy.listens).
      type: list
      elements: str
      sample: [Listen 80]
    loaded:
      description: Those units of O(proxy.watched_file) that have loaded their files as they are now.
      type: list
      elements: str
      sample: [nginx.service, slurm-jwt-proxy-verifier.service]
    passwords_usable:
      description: Whether the verifier accepts every line of O(proxy.password_file). Null without that option.
      type: bool
      sample: true
problems:
  description:
    - Everything that is wrong, the worst first.
  returned: success
  type: list
  elements: dict
  contains:
    severity:
      description: V(error) if a rollout would fail, V(warning) if somebody should check it, V(info) if a rollout fixes
        it or nobody needs to.
      type: str
      sample: error
    code:
      description: A short name for the kind of problem.
      type: str
      sample: dbd_conf_mode
    component:
      description: The component that it concerns.
      type: str
      sample: slurmdbd
    path:
      description: The file or folder that it concerns. Null if there is none.
      type: str
      sample: /etc/slurm/slurmdbd.conf
    found:
      description: What was found.
      type: str
      sample: /etc/slurm/slurmdbd.conf has the mode 0640; slurmdbd requires 0600.
    effect:
      description: Its effect on the cluster.
      type: str
      sample: slurmdbd does not start with it, so it would stay down after a restart.
    remedy:
      description: What to do.
      type: str
      sample: chmod 0600 /etc/slurm/slurmdbd.conf
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.auth_alt import DeclaredError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import node
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.host import COMPONENTS, Options, Run
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.conf_paths import SLURM_CONF, SLURMDBD_CONF

_SERVICES = ("slurmctld", "slurmdbd", "slurmrestd", "slurmd")


def _argument_spec() -> dict[str, Any]:
    strings = {"type": "list", "elements": "str", "default": []}
    return {
        "components": {"type": "list", "elements": "str", "choices": list(COMPONENTS)},
        "conf_path": {"type": "path", "default": SLURM_CONF},
        "dbd_conf_path": {"type": "path", "default": SLURMDBD_CONF},
        "key_path": {"type": "path", "no_log": False},
        "jwks_path": {"type": "path"},
        "declared": {
            "type": "dict",
            "options": {
                "auth_alt_types": strings,
                "auth_alt_types_absent": strings,
                "parameters": {"type": "dict", "default": {}},
                "parameters_absent": strings,
                "openmetrics": {
                    "type": "dict",
                    "options": {
                        "users": {"type": "list", "elements": "str"},
                        "key_path": {"type": "str", "no_log": False},
                    },
                },
            },
        },
        "asked_at": {"type": "float"},
        "minimal": {"type": "bool", "default": False},
        "clusters": {"type": "bool", "default": False},
        "slurmrestd_listen": {"type": "list", "elements": "str", "default": []},
        "slurmrestd_user": {"type": "str", "default": ""},
        "slurmrestd_group": {"type": "str", "default": ""},
        "bin_dirs": {"type": "list", "elements": "path", "default": []},
        "plugin_dir": {"type": "path"},
        "slurmrestd_binary": {"type": "path"},
        "proxy": {
            "type": "dict",
            "options": {
                **dict.fromkeys(("files", "site_files", "units", "packages", "listens"), strings),
                "python": {"type": "path", "required": True},
                "program_folder": {"type": "path", "required": True},
                "user": {"type": "str", "required": True},
                "watched_file": {"type": "str", "default": ""},
                # A path, not a password.
                "password_file": {"type": "str", "default": "", "no_log": False},
            },
        },
        **{f"{name}_service": {"type": "str", "default": name} for name in _SERVICES},
    }


def _inspect(options: Options, run: Run) -> dict[str, Any]:
    if options.components == ["node"]:
        return node.inspect(options, run)
    # Not imported on nodes: there are many, and the import takes longer than everything else there.
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import server

    return server.inspect(options, run)


def _components(params: dict[str, Any]) -> list[str] | None:
    if params["minimal"]:
        return ["node"]
    # Duplicates and order do not matter.
    return [name for name in COMPONENTS if name in params["components"]] if params["components"] else None


def main() -> None:
    module = AnsibleModule(argument_spec=_argument_spec(), supports_check_mode=True)
    params = module.params
    if params["minimal"] and params["components"] not in (None, ["node"]):
        module.fail_json(msg="minimal=true is for a host that is a node only. Leave it out, or the other components.")
    options = Options(
        components=_components(params),
        conf_path=params["conf_path"],
        dbd_conf_path=params["dbd_conf_path"],
        key_path=params["key_path"],
        jwks_path=params["jwks_path"],
        declared=params["declared"],
        services={name: params[f"{name}_service"] for name in _SERVICES},
        slurmrestd_listen=params["slurmrestd_listen"],
        slurmrestd_user=params["slurmrestd_user"],
        slurmrestd_group=params["slurmrestd_group"],
        bin_dirs=params["bin_dirs"],
        plugin_dir=params["plugin_dir"],
        slurmrestd_binary=params["slurmrestd_binary"],
        minimal=params["minimal"],
        clusters=params["clusters"],
        proxy=params["proxy"],
    )

    def run(argv: list[str], conf_path: str) -> tuple[int, str, str]:
        environment = {"SLURM_CONF": conf_path, "LC_ALL": "C"}
        try:
            rc, out, err = module.run_command(argv, environ_update=environment, handle_exceptions=False)
        except OSError as error:
            return 127, "", str(error)
        return rc, out, err

    try:
        observation = _inspect(options, run)
    except DeclaredError as error:
        module.fail_json(msg=str(error))
    asked_at = params["asked_at"]
    clock_lag = None if asked_at is None else observation["now"] - asked_at
    # The action plugin sets clock_lag_least: it knows when the answer arrives.
    module.exit_json(changed=False, clock_lag=clock_lag, clock_lag_least=None, **observation)


if __name__ == "__main__":
    main()

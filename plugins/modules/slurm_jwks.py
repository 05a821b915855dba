#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_jwks
short_description: Manage the file of RS256 keys that Slurm trusts
version_added: 1.0.0
description:
  - Creates and updates the file that C(AuthAltParameters=jwks=) names, from the keys of identity providers and of the
    site. Anyone who has the private half of a key in it can sign a token for root.
  - Every release of Slurm can load the file. It contains only RSA signature keys, each with C(kid), C(kty), C(alg),
    C(n) and C(e) and nothing else. Everything else in a source is dropped, and reported with the reason.
  - A key that is no longer in its source stays for O(retain), until the tokens that it signed have expired. O(remove)
    distrusts a key at once. Both happen before any source is read, and no source can prevent them.
  - Sources are independent. If a source cannot be fetched, or has no key that Slurm may trust, its trusted keys stay
    trusted; a warning and RV(failed_sources) name the source. No source can remove another's key. A kid stays with the
    key that has it, and a modulus with the source that has it. Another key with the same kid, or of another source with
    the same modulus, is dropped and reported in a warning and in RV(dropped). Only keys that O(sources[].data) declares
    replace such a key.
  - The file stays as it is, and the task fails, if a source fails of which no key is on record yet, if a new file would
    have no key, and if every trusted key would be removed at once. Even then the keys in O(remove) are removed.
  - If no key is left, for example after O(remove) of the last one, Slurm starts and refuses every RS256 token.
  - Running daemons keep the keys that they have loaded. RV(content_changed) says whether they must load the file.
    slurmctld does so with C(scontrol reconfigure) from Slurm 23.11 on, before that at a restart; slurmdbd at a restart.
  - JWKS needs Slurm 21.08 or later.
author:
  - The hpc.slurm_jwt contributors (@hpc-slurm-jwt)
extends_documentation_fragment:
  - hpc.slurm_jwt.attributes
  - hpc.slurm_jwt.attributes.files
  - hpc.slurm_jwt.durations
attributes:
  check_mode:
    support: full
    details:
      - Sources are fetched in check mode, too.
      - The folder, the owner and a file in O(sources) may be missing in check mode. The keys of a missing file are not
        known; a warning says so.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - At the next run, sources may have other keys, and withdrawn keys may have expired.
  platform:
    platforms: posix
  safe_file_operations:
    support: full
options:
  path:
    description:
      - Absolute path of the key set. The folder must exist and must not be writable by every user of the host. A
        symbolic link is refused, also as a part of the path if an unprivileged user could have made it.
      - A file of the same name with C(.record) added, of the same owner and mode, records since when each key is
        trusted and since when it is no longer in its source.
    type: path
    required: true
  state:
    description:
      - V(present) creates the file and updates it from the sources.
      - V(absent) removes the file and its record. A slurmctld whose configuration names the file then does not start.
    type: str
    choices: [present, absent]
    default: present
  sources:
    description:
      - Where the keys come from. All sources are merged. Required with O(state=present). At most 100 keys of each are
        trusted, withdrawn ones included.
      - If two sources have different new keys with the same kid, the key of the first one is trusted.
      - Each entry has exactly one of O(sources[].issuer), O(sources[].url), O(sources[].path) and O(sources[].data).
    type: list
    elements: dict
    suboptions:
      issuer:
        description:
          - The issuer of an OpenID provider, such as V(https://idp.example.org/realms/hpc), as in the claim C(iss) of
            its tokens. The address of the keys is taken from the provider's configuration below it.
        type: str
      url:
        description:
          - The address of a key set, a public key in PEM, or a certificate.
          - At most five redirects are followed, and none to plain http.
        type: str
      path:
        description:
          - A file on the managed host, with a key set, public keys in PEM, or certificates.
          - It must not be writable by every user of the host.
        type: path
      data:
        description:
          - The key set itself, one key (a JWK), or public keys or certificates in PEM. JSON may also be given as YAML.
        type: raw
      kid:
        description:
          - The kid for the key, if the source has one key without a kid. By default its RFC 7638 thumbprint.
        type: str
      ca_path:
        description:
          - A file on the managed host with the CA certificates, in PEM, to check O(sources[].url) or
            O(sources[].issuer) against. By default those that the host trusts.
        type: path
      allow_http:
        description:
          - Whether the keys may be fetched over plain http. Anyone on the network path can then insert keys and become
            root on the cluster.
          - An address of the managed host itself with a port of 1024 or more is refused nevertheless, because any local
            user can listen there.
        type: bool
        default: false
      allow_shared:
        description:
          - Whether the keys may come from an issuer that signs for everybody with the same keys, such as Microsoft
            Entra ID for all its tenants, and Google. Without this option their addresses are refused.
          - Slurm checks neither the issuer nor the audience of a token. If it trusts the key, it accepts a token that a
            stranger had issued for an application of their own, with claims of their choice.
        type: bool
        default: false
  retain:
    description:
      - How long a key stays that is no longer in its source, counted from the first run that finds it missing. A
        duration.
      - Make it as long as the longest lifespan of tokens that the source issues. V(0) removes the key at once.
    type: str
    default: 1d
  inherited:
    description:
      - Withdrawn keys that other hosts still trust, for a new file. An existing file has its own record.
      - A host that joins a cluster gets them in this way, so that it accepts the same tokens as the others.
    type: list
    elements: dict
    default: []
    suboptions:
      jwk:
        description: The key, as another host has it in RV(jwks).
        type: dict
        required: true
      until:
        description: How long it stays, in UTC, as another host has it in RV(retired). It stays O(retain) at most.
        type: str
        required: true
  remove:
    description:
      - Keys to distrust at once, from every source, by their kid or RFC 7638 thumbprint. Other keys with the same
        modulus are removed with them, because anyone who has the private half can write any kid into a token.
      - The modulus is recorded as long as the name is in this list, so that the key cannot return with another kid or
        another exponent.
      - A kid names the key that is trusted with it. If a source has another's modulus under this kid, only that entry
        of that source is distrusted. A thumbprint is the better name.
    type: list
    elements: str
    default: []
  merge:
    description:
      - Whether keys in the file that came from no source stay. Another program or person added them.
      - Without this option they count as withdrawn.
    type: bool
    default: false
  min_bits:
    description:
      - The shortest modulus that is trusted, in bits, from 1024 to 8192.
    type: int
    default: 2048
  timeout:
    description:
      - Seconds in which a source must answer completely, its configuration and redirects included. All sources are
        fetched at the same time.
    type: int
    default: 30
  environment:
    description:
      - Environment variables for fetching keys, each as C(NAME=VALUE), such as C(HTTPS_PROXY=http://proxy:3128).
      - A value may contain a password. The keyword C(environment) of a task would put it into a command line, which
        every user of the host can read. This option does not, and it is not logged.
    type: list
    elements: str
    default: []
  backup:
    description:
      - Whether to keep a copy of the file and of its record before the first change to either of them. See
        RV(backup_files).
    type: bool
    default: false
  force:
    description:
      - Replace or remove a file that is not a key set, and allow that every key is removed at once. Use it in an
        emergency, on the command line.
    type: bool
    default: false
  mode:
    description:
      - Permissions of the file, V('0400'), V('0440'), V('0600') or V('0640'). Everything else is refused.
      - The keys are public, but from Slurm 23.11 on the daemons do not start if others can write the file.
    type: raw
    default: '0400'
notes:
  - Anyone who can change the keys of a source is root on the cluster. This includes the identity provider, its
    administrators, and anyone who can write the file of a source.
  - C(HTTPS_PROXY) and C(NO_PROXY) are respected, in O(environment) and in the environment of the task.
seealso:
  - module: hpc.slurm_jwt.slurm_jwt_key
  - module: hpc.slurm_jwt.slurm_jwt_token
  - ref: ansible_collections.hpc.slurm_jwt.docsite.guide_jwks
    description: Tokens of an identity provider, and how each release of Slurm handles unusual key sets.
"""

EXAMPLES = r"""
- name: Trust a realm of Keycloak
  hpc.slurm_jwt.slurm_jwks:
    path: /etc/slurm/jwks.json
    owner: slurm
    sources:
      - issuer: https://keycloak.example.org/realms/hpc
    retain: 12h
  register: jwks

- name: Trust a user pool of Cognito and a local signing key
  hpc.slurm_jwt.slurm_jwks:
    path: /etc/slurm/jwks.json
    owner: slurm
    sources:
      - url: https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example/.well-known/jwks.json
      - data: "{{ made.public_jwk }}"

- name: Trust an internal provider with a certificate of the site's own CA
  hpc.slurm_jwt.slurm_jwks:
    path: /etc/slurm/jwks.json
    owner: slurm
    sources:
      - url: https://idp.cluster.example.org/keys
        ca_path: /etc/ssl/site-ca.pem
      - path: /etc/slurm/gateway.pem
        kid: gateway

- name: Distrust a key at once
  hpc.slurm_jwt.slurm_jwks:
    path: /etc/slurm/jwks.json
    owner: slurm
    sources:
      - issuer: https://keycloak.example.org/realms/hpc
    remove: [FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE]

- name: Remove the file
  hpc.slurm_jwt.slurm_jwks:
    path: /etc/slurm/jwks.json
    state: absent
"""

RETURN = r"""
jwks_path:
  description: The path of the key set.
  returned: success
  type: str
  sample: /etc/slurm/jwks.json
state:
  description: What is at the path, V(file) or V(absent).
  returned: success
  type: str
  sample: file
content_changed:
  description:
    - Whether the key set itself was written or removed, so that daemons must load it. The task is also changed if only
      the record, owner or mode have changed.
  returned: success
  type: bool
  sample: true
differs:
  description:
    - Whether the key set, its record, its owner or its mode differed from what the task declares. For tasks that only
      inspect, in check mode and with C(changed_when=false).
  returned: success
  type: bool
  sample: true
backup_files:
  description:
    - The copies that O(backup) has kept, by the path of the original. Empty without O(backup), in check mode, and if
      nothing was replaced.
  returned: success
  type: dict
  sample:
    /etc/slurm/jwks.json: /etc/slurm/jwks.json.20261126T034500Z~
kids:
  description: The kids of all keys that are trusted.
  returned: success
  type: list
  elements: str
  sample: [FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE]
added:
  description: The kids of keys that were not trusted before.
  returned: success
  type: list
  elements: str
  sample: [FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE]
kept:
  description: The kids of keys that were and are trusted, without withdrawn ones.
  returned: success
  type: list
  elements: str
  sample: []
retired:
  description: Keys that are in no source any more and stay trusted until the tokens that they signed have expired.
  returned: success
  type: list
  elements: dict
  contains:
    kid:
      description: The key.
      returned: success
      type: str
      sample: 5678example=
    until:
      description: The first run from this time on removes it, in UTC.
      returned: success
      type: str
      sample: '2026-11-26T03:45:00Z'
removed:
  description: Keys of the file that this run removed, or would remove in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    kid:
      description: The key.
      returned: success
      type: str
      sample: 1234example=
    reason:
      description: Why.
      returned: success
      type: str
      sample: is in no source any more
dropped:
  description: Keys of the sources, and of the file before the run, that are not trusted.
  returned: success
  type: list
  elements: dict
  contains:
    source:
      description: The issuer, URL or path, or C(sources[N]) for data.
      returned: success
      type: str
      sample: https://keycloak.example.org/realms/hpc
    kid:
      description: The key, or its position in the source if it has no kid.
      returned: success
      type: str
      sample: qW0yEDBhQnVxPpHvBqLr9jM4yqPVFkCpyYtU3uyBG0A
    reason:
      description: Why.
      returned: success
      type: str
      sample: is for 'RSA-OAEP'; Slurm verifies RS256 only
failed_sources:
  description:
    - Sources that cannot be fetched, or have no key that Slurm may trust. Their trusted keys stay trusted.
  returned: success
  type: list
  elements: dict
  contains:
    source:
      description: The issuer, URL or path, or C(sources[N]) for data.
      returned: success
      type: str
      sample: https://keycloak.example.org/realms/hpc
    reason:
      description: What was found, and what to do.
      returned: success
      type: str
      sample: https://keycloak.example.org/realms/hpc has not answered in full within 30 s.
  sample: []
distrusts:
  description: Whether a key of the file is removed because O(remove) names it or its modulus.
  returned: success
  type: bool
  sample: false
next_change:
  description: When the first of the RV(retired) keys expires, in UTC. A run is due then. Null if there is none.
  returned: success
  type: str
  sample: '2026-11-26T03:45:00Z'
jwks:
  description: The key set as it is in the file. Null if there is none.
  returned: success
  type: dict
  sample:
    keys:
      - kid: FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE
        kty: RSA
        alg: RS256
        n: sfT9GvX0
        e: AQAB
size:
  description: Bytes of the file. Null if there is none.
  returned: success
  type: int
  sample: 1214
fingerprint:
  description:
    - SHA-256 of the file, to compare several hosts. The part after the colon is what C(sha256sum) prints.
    - Null if there is no file.
  returned: success
  type: str
  sample: SHA256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
previous_fingerprint:
  description: The fingerprint of the file that this run replaced or removed. Null if it did neither.
  returned: success
  type: str
  sample: SHA256:fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9
owner:
  description: Name of the file's owner, or the number if there is no name. Null if there is no file.
  returned: success
  type: str
  sample: slurm
group:
  description: Name of the file's group, or the number if there is no name. Null if there is no file.
  returned: success
  type: str
  sample: slurm
mode:
  description: Permissions of the file. Null if there is no file.
  returned: success
  type: str
  sample: '0400'
uid:
  description: Number of the file's owner. Null if there is no file, and in check mode if there is no such user yet.
  returned: success
  type: int
  sample: 64030
gid:
  description: Number of the file's group. Null if there is no file, and in check mode if there is no such group yet.
  returned: success
  type: int
  sample: 64030
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.ownership import OwnershipError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.key_set_task import KeySetTask, variables
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.jwk import MIN_BITS

SOURCE_OPTIONS = {
    "issuer": {"type": "str"},
    "url": {"type": "str"},
    "path": {"type": "path"},
    "data": {"type": "raw"},
    "kid": {"type": "str"},
    "ca_path": {"type": "path"},
    "allow_http": {"type": "bool", "default": False},
    "allow_shared": {"type": "bool", "default": False},
}

ARGUMENTS = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "sources": {"type": "list", "elements": "dict", "options": SOURCE_OPTIONS},
    "retain": {"type": "str", "default": "1d"},
    "inherited": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"jwk": {"type": "dict", "required": True}, "until": {"type": "str", "required": True}},
    },
    "remove": {"type": "list", "elements": "str", "default": []},
    "merge": {"type": "bool", "default": False},
    "min_bits": {"type": "int", "default": MIN_BITS},
    "timeout": {"type": "int", "default": 30},
    # NAME=VALUE, because Ansible would mask a short value alone everywhere in a result.
    "environment": {"type": "list", "elements": "str", "default": [], "no_log": True},
    "backup": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "raw", "default": "0400"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        os.environ.update(variables(module.params["environment"]))
        task = KeySetTask(Task(module.params, module.check_mode, module._diff, module.warn))
        result = getattr(task, module.params["state"])()
    except (TaskError, OwnershipError, SecretFileError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()

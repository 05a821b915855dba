#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_jwks
short_description: The RS256 keys that Slurm trusts
version_added: 1.0.0
description:
  - Makes and keeps the file that C(AuthAltParameters=jwks=) names, from the keys of identity providers and of the site.
    Whoever has the private half of a key in it can sign a token for root.
  - The file is such that no release of Slurm can choke on it. It holds RSA keys for signatures only, each with C(kid),
    C(kty), C(alg), C(n) and C(e) and nothing else, written anew from their numbers. Whatever else a source has is
    dropped, and named with the reason.
  - A key that its source has no more stays for O(retain), so that the tokens that it has signed can run out. O(remove)
    distrusts a key at once. Both are seen to before any source is asked, and whatever sources say.
  - Sources are apart from each other. Of one that cannot be fetched, or has no key that Slurm may trust, the keys that
    are trusted stay so; a warning and RV(failed_sources) name it. No source takes a key of another away. A kid stays
    with the key that has it, and a modulus with the source that has it; another key with the same kid, or of another
    source with the same modulus, is dropped, which a warning and RV(dropped) say. Only keys that O(sources[].data)
    declares come before those that are trusted already.
  - The file stays as it is, and the task fails, when a source fails of which no key is on record yet, when there would
    be no key in a new file, and when every key that is trusted now would go at once. O(remove) is carried out
    nevertheless.
  - With a key set in which no key is left, as after O(remove) of the last one, Slurm starts and refuses every RS256
    token.
  - Daemons that run go on with the keys that they have loaded. RV(content_changed) says whether they have to load the
    file, which slurmctld does with C(scontrol reconfigure) from Slurm 23.11 on and by a restart before, and slurmdbd by
    a restart.
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
      - The folder, the owner and a file among the O(sources) need not exist yet in check mode. What such a file would
        hold is not known then, which a warning says.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - Sources may have other keys, and the time of keys that were withdrawn may be over, at the next run.
  platform:
    platforms: posix
  safe_file_operations:
    support: full
options:
  path:
    description:
      - Absolute path of the key set. The folder must exist and must not be writable by every user of the host. A
        symbolic link is refused, and so is one on the way that an unprivileged user could have put there.
      - Since when each key is trusted, and since when its source has it no more, is kept beside it in a file of the
        same name with C(.record) added and of the same owner and mode.
    type: path
    required: true
  state:
    description:
      - V(present) makes the file and keeps it as the sources say.
      - V(absent) removes it and its record. A slurmctld that is to load it then does not start.
    type: str
    choices: [present, absent]
    default: present
  sources:
    description:
      - Where the keys come from. All sources are merged. Needed with O(state=present). At most 100 keys of each are
        trusted, with those that it has withdrawn.
      - Where two come with different keys of one kid at once, that of the one that is named first is trusted.
      - Each entry has exactly one of O(sources[].issuer), O(sources[].url), O(sources[].path) and O(sources[].data).
    type: list
    elements: dict
    suboptions:
      issuer:
        description:
          - The issuer of an OpenID provider, such as V(https://idp.example.org/realms/hpc), as its tokens have it in
            their claim C(iss). The provider's configuration below it says where its keys are.
        type: str
      url:
        description:
          - The address of a key set, a public key in PEM, or a certificate.
          - Redirects are followed, five at most, and never to plain http.
        type: str
      path:
        description:
          - A file on the managed host, with a key set, public keys in PEM, or certificates.
          - It must not be writable by every user of the host.
        type: path
      data:
        description:
          - The key set itself, one key (a JWK), or public keys or certificates in PEM, as text or, for JSON, as YAML.
        type: raw
      kid:
        description:
          - What to call the key, for a source of one key without a kid. By default its RFC 7638 thumbprint.
        type: str
      ca_path:
        description:
          - A file on the managed host with the certificates, in PEM, of the authorities that may have issued the
            certificate of O(sources[].url) or O(sources[].issuer). By default those that the host trusts.
        type: path
      allow_http:
        description:
          - Whether the keys may come over plain http. Anybody on the way can then put keys of their own there, and
            is root on the cluster.
          - An address of this very host is refused all the same if its port is 1024 or more, where any local user can
            listen.
        type: bool
        default: false
      allow_shared:
        description:
          - Whether the keys may come from an issuer that signs for anybody in the world with the same keys, such as
            Microsoft Entra ID with all its tenants, and Google. Their addresses are refused without it.
          - Slurm looks at neither issuer nor audience of a token. A token that a stranger has made out for an
            application of his own, with whatever claims he has chosen, is good for Slurm if the key is.
        type: bool
        default: false
  retain:
    description:
      - How long a key stays that its source has no more, from the first run on that finds it so. A duration.
      - Make it as long as the longest token that the source issues. V(0) distrusts the key at once.
    type: str
    default: 1d
  inherited:
    description:
      - Keys that other hosts still trust though their source has them no more, for a file that is not there yet. A file
        that is there has its own memory.
      - A host that joins a cluster gets them in this way, so that it takes the tokens that the others take.
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
      - Keys to distrust at once, wherever they come from, by their kid or RFC 7638 thumbprint. Other keys with the same
        modulus go with them, since whoever has the private half writes any kid into a token.
      - The modulus is on record as long as the name is in this list, so that the key does not come back with another
        kid or another exponent.
      - A kid means the key that is trusted with it. That a source has somebody else's modulus under this kid distrusts
        that entry of this source only. A thumbprint is the better name.
    type: list
    elements: str
    default: []
  merge:
    description:
      - Whether keys stay that are in the file and came from no source, so that somebody else put them there.
      - Without it they count as withdrawn.
    type: bool
    default: false
  min_bits:
    description:
      - The shortest modulus that is trusted, in bits, from 1024 to 8192.
    type: int
    default: 2048
  timeout:
    description:
      - Seconds in which a source must have answered in full, its configuration and redirects included. All are asked
        at once.
    type: int
    default: 30
  environment:
    description:
      - Variables for whatever fetches keys, each as C(NAME=VALUE), such as C(HTTPS_PROXY=http://proxy:3128).
      - A value may hold a password. The keyword C(environment) of a task would put it into a command line, which every
        user of the host can read; this option does not, and it is not logged.
    type: list
    elements: str
    default: []
  backup:
    description:
      - Whether to keep the file, and the record beside it, before the first change to either of them. See
        RV(backup_files).
    type: bool
    default: false
  force:
    description:
      - Consent to replacing or removing a file that is no key set, and to the loss of every key at once. For an
        emergency, on the command line.
    type: bool
    default: false
  mode:
    description:
      - Permissions of the file, V('0400'), V('0440'), V('0600') or V('0640'). Everything else is refused.
      - The keys are public, but from Slurm 23.11 on a file that others can write keeps the daemons from starting.
    type: raw
    default: '0400'
requirements:
  - cryptography >= 3.0 (package C(python3-cryptography)), where a source has PEM or certificates and no C(n) and C(e)
notes:
  - Whoever can change what a source says is root on the cluster. That goes for an identity provider, for those who
    administer it, and for the file of a source.
  - C(HTTPS_PROXY) and C(NO_PROXY) are respected, in O(environment) and in the environment of the task.
seealso:
  - module: hpc.slurm_jwt.slurm_jwt_key
  - module: hpc.slurm_jwt.slurm_jwt_token
  - ref: ansible_collections.hpc.slurm_jwt.docsite.guide_jwks
    description: Tokens of an identity provider, and what each release of Slurm makes of an odd key set.
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

- name: Trust a user pool of Cognito and a key of the site's own
  hpc.slurm_jwt.slurm_jwks:
    path: /etc/slurm/jwks.json
    owner: slurm
    sources:
      - url: https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example/.well-known/jwks.json
      - data: "{{ made.public_jwk }}"

- name: A provider inside, with a certificate of the site's authority
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

- name: Take the file away
  hpc.slurm_jwt.slurm_jwks:
    path: /etc/slurm/jwks.json
    state: absent
"""

RETURN = r"""
path:
  description: The key set.
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
    - Whether the key set itself was written or removed, so that daemons have to load it. The task is also changed where
      only the record, owner or mode have changed.
  returned: success
  type: bool
  sample: true
differs:
  description:
    - Whether the key set, its record, its owner or its mode were not as they were to be. For whoever only looks, in
      check mode, and so says C(changed_when=false).
  returned: success
  type: bool
  sample: true
backup_files:
  description:
    - The copies that O(backup) has kept, by the path of the file that each was made of. Empty without O(backup), in
      check mode, and where nothing was replaced.
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
  description: The kids of keys that were and are trusted, without those that were withdrawn.
  returned: success
  type: list
  elements: str
  sample: []
retired:
  description: Keys that are in no source any more and trusted until the tokens that they signed have run out.
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
      description: The first run from this time on takes it away, in UTC.
      returned: success
      type: str
      sample: '2026-11-26T03:45:00Z'
removed:
  description: Keys of the file that this run took away, or would take away in check mode.
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
  description: What the sources have, and the file had, that is not trusted.
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
      description: The key, or its place in the source if it has no kid.
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
    - Sources that cannot be fetched, or have no key that Slurm may trust. The keys of them that are trusted stay.
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
  description: Whether a key of the file goes because O(remove) names it, or its modulus.
  returned: success
  type: bool
  sample: false
next_change:
  description: When the first of the RV(retired) keys runs out, in UTC, so that a run is due. Null if there is none.
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
    - SHA-256 of the file, to compare those of several hosts. What follows the colon is what C(sha256sum) prints.
    - Null if there is no file.
  returned: success
  type: str
  sample: SHA256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
previous_fingerprint:
  description: That of the file which this run replaced or removed. Null if it did neither.
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
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.file import KeySetRefused
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.key_set_task import KeySetTask, variables
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.jwk import MIN_BITS
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.pem import LibraryMissing

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
    # With its name before it even a short value is masked in results as the value of that variable, and nowhere else.
    "environment": {"type": "list", "elements": "str", "default": [], "no_log": True},
    "backup": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "raw", "default": "0400"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    # Ansible would inspect the path again, and crash if another run has just removed the file.
    module.add_path_info = lambda result: result
    try:
        os.environ.update(variables(module.params["environment"]))
        task = KeySetTask(Task(module.params, module.check_mode, module._diff, module.warn))
        result = getattr(task, module.params["state"])()
    except (KeySetRefused, OwnershipError, SecretFileError, LibraryMissing) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()

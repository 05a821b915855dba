#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_jwt_key
short_description: Manage the key that signs Slurm's JSON Web Tokens
version_added: 1.0.0
description:
  - Makes, installs, rotates and removes the file that C(AuthAltParameters=jwt_key=) names. Anyone who can read it can
    sign a token for root. So at every instant only its owner and, on request, one group can read it.
  - An existing key is never replaced unless the task asks for it, and never truncated. slurmctld and slurmdbd map
    their key into memory and are killed by a signal if it gets shorter. C(dd), C(cp) and C(>) of a shell do that.
  - A new key replaces the old one by rename. Running daemons keep the old key until they are reloaded or restarted.
  - A rotation without a failed request has three states. V(staged) writes the next key beside the current one,
    V(active) brings it into force, in place on request, and V(unstaged) removes the next key. The playbook
    C(hpc.slurm_jwt.rotate) does this on all key hosts together.
  - With O(algorithm=RS256) it makes a local signing key, the private key of a site that signs tokens itself, and has
    Slurm trust its public half. Slurm's daemons never have that key.
  - Any number of runs at once, on one host or on several that share a file system, make one key, and one of them
    reports a change. This needs hard links or locks; a file system without both is refused.
  - A key that can be guessed is reported. What counts is its strength, not its format. 32 random bytes in hexadecimal
    or base64 are as good as 32 raw ones. Typed or repeated text, less than 32 bytes, and other kinds of files, such as
    a PEM, are not.
extends_documentation_fragment:
  - hpc.slurm_jwt.attributes
  - hpc.slurm_jwt.attributes.files
  - hpc.slurm_jwt.durations
attributes:
  check_mode:
    support: full
    details:
      - In check mode the folder and the owner need not exist yet.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - With O(force=true) and without O(content), every run replaces the key.
  platform:
    platforms: posix
  safe_file_operations:
    support: full
options:
  path:
    description:
      - Absolute path of the key file. Slurm's default is C(jwt_hs256.key) in the StateSaveLocation.
      - The folder must exist and must not be writable by every user of the host. The file itself must not be a
        symbolic link, and neither may a folder on the way to it that an unprivileged user could have made.
      - The O(serial) of the key and the time when it was O(created) are recorded beside it, in a file of the same owner
        and mode with C(.record) added to the name.
    type: path
    required: true
  state:
    description:
      - V(present) makes the key if it is missing.
      - V(absent) removes the key, its record, and the next and previous key of a rotation. Copies made by O(backup)
        stay.
      - V(staged) writes the next key beside the current one, with C(.next) added to the name, if O(serial), O(max_age),
        O(content) or O(force) ask for another key than the current one. A key that is staged already stays.
      - V(active) brings the staged key into force, and keeps the old one with C(.previous) added to the name. Nothing
        changes if the staged key is in force already.
      - V(unstaged) removes the C(.next) file. After V(active) that ends the rotation; before it, that cancels the
        rotation. The previous key stays for one rollback, until the next rotation.
    type: str
    choices: [present, absent, staged, active, unstaged]
    default: present
  algorithm:
    description:
      - The algorithm that the key is for. V(HS256) is a file of random bytes, which slurmctld and slurmdbd need too.
      - V(RS256) is a private RSA key in PEM, for tokens with a C(kid). It belongs only on the hosts where tokens are
        signed. Slurm gets its public half, RV(public_jwk), by M(hpc.slurm_jwt.slurm_jwks).
    type: str
    choices: [HS256, RS256]
    default: HS256
  size:
    description:
      - With V(HS256), bytes of a key that is made here, from 32 to 4096, by default 32. More than 64 add no strength.
      - With V(RS256), bits of its modulus, from 2048 to 8192, by default 3072.
      - With O(state=staged), the default is the size of the current key, so that the next one can be activated in
        place.
      - An existing key of another size stays as it is.
    type: int
  content:
    description:
      - The key to install, in base64, for a host that must have the same key as another. A key in PEM may also be given
        as it is.
      - A different existing key is replaced, since this option asks for it.
    type: str
  created:
    description:
      - When the key in O(content) was made, from RV(created) of the host that made it. The records of all key hosts
        then agree, and O(max_age) counts from that time.
      - Without it, an installed key counts as made when it is installed.
    type: str
  serial:
    description:
      - A label for the key, such as V(2026-11), that the site declares. The key is replaced if its record has another
        label. So a new label rotates the key once, however often the task runs.
      - A key without a label in its record gets this one and is not replaced. A record that was written for another key
        counts as none. With O(state=staged), no label counts as another label, since that state asks for a rotation.
      - With O(content), the label of that key. It then replaces nothing by itself.
      - A number with a decimal point is refused, since 2026.1 and 2026.10 are the same number in YAML. Quote it.
    type: raw
  max_age:
    description:
      - The key is replaced when it is as old as this duration or older.
      - The age counts from the time on record, or from the file's modification time if there is no record.
      - With O(content), it replaces nothing by itself.
    type: str
  weak:
    description:
      - What to do with a key that is empty, shorter than 32 bytes, or estimated at less than 128 bits of strength, or
        an RSA key that is shorter than 2048 bits or known to be breakable.
      - V(fail) leaves it as it is and fails. This also refuses such a key in O(content).
      - V(keep) accepts it with a warning. An empty key is still refused, since Slurm's daemons do not start with it.
      - V(replace) replaces it by a new key. All tokens that the old one signed become invalid.
      - A file that is no key of that O(algorithm), such as a PEM with V(HS256), JSON or a configuration file, is
        refused in each case. It is replaced or removed only with O(force=true).
      - The key that O(fingerprint) names is accepted in any case, with a warning.
    type: str
    choices: [fail, keep, replace]
    default: fail
  force:
    description:
      - Replace any existing file by a new key, at every run. For an emergency, on the command line.
      - With O(content) or O(state=absent), consent to replacing or removing a file that is no key of that O(algorithm).
    type: bool
    default: false
  method:
    description:
      - How O(state=active) brings a key into force.
      - V(rename) replaces the file. Running daemons keep the old key until they load the new one.
      - V(in_place) overwrites the bytes of the file. Running slurmctld and slurmdbd have mapped it, and use the new key
        from that instant on, without a reload. All measured releases behave like this (20.11 to 26.05), but Slurm does
        not promise it. It is refused if the two keys differ in length, and with O(algorithm=RS256), since no daemon has
        that key.
    type: str
    choices: [rename, in_place]
    default: rename
  source:
    description:
      - Which key O(state=active) brings into force. V(previous) is the rollback.
    type: str
    choices: [next, previous]
    default: next
  activate_at:
    description:
      - When O(state=active) swaps the keys, in seconds since 1970 by the clock of this host. Everything is prepared
        before, so that several hosts swap together.
      - A time in the past means now. One that is more than 120 seconds ahead is refused.
    type: float
  fingerprint:
    description:
      - With O(state=active), the key to bring into force must have this fingerprint. Otherwise the module fails and
        changes nothing.
      - With V(present), V(absent) and V(staged), consent to the key of this fingerprint, existing or in O(content),
        although it is weak or no key of that O(algorithm). Slurm accepts any file as a key, and a key in force has to
        be kept until it is rotated. An empty one is still refused.
    type: str
  by:
    description:
      - Who makes the key, for its record, for example V(root@mgmt1).
    type: str
  run:
    description:
      - A name for the run that stages the key, to tell two runs apart. O(state=staged) fails if a key is staged under
        another name, and O(state=unstaged) leaves such a key alone. Without a name, O(state=staged) fails if any named
        run has staged a key, and O(state=unstaged) removes it.
    type: str
  take_over:
    description:
      - The name of a run that has died. O(state=staged) continues with its staged key.
    type: str
  keep_previous:
    description:
      - Whether O(state=unstaged) keeps the previous key for a rollback.
    type: bool
    default: true
  backup:
    description:
      - Keep a copy of a key that is replaced, with the time in UTC and C(.bak) added to its name, or of one that is
        removed, with the time and C(.removed). The copy has mode 0400 and the owner of the key.
      - Once the daemons have the new key, the old one verifies nothing, but it is still a secret. Delete it in time.
    type: bool
    default: false
  return_content:
    description:
      - Return the key in base64 as RV(content), to install it on other hosts without a file in between. Set C(no_log)
        on the task. With O(state=staged) it is the next key.
    type: bool
    default: false
  owner:
    description:
      - Name or number of the owner. SlurmUser works with every release of Slurm.
      - If not given, it is the user who runs the module, usually root. An existing key of another user is then refused.
        It is neither left to an undeclared user, nor taken from a daemon that runs as that user.
    type: str
  mode:
    description:
      - Permissions of the key, V('0400'), V('0440'), V('0600') or V('0640'). All others are refused.
      - Write it in quotes. An unquoted V(400) is a decimal number in YAML and is refused.
      - If the daemons read the key as members of its group, set V('0440').
    type: raw
    default: '0400'
notes:
  - Anyone who owned an existing key, or could read it, may have copied it. The module corrects owner, mode and access
    control list, and warns. Whether to rotate the key is up to the site.
  - A run that is killed leaves the old key or the new one, complete. Temporary files have a name that begins with
    C(.slurm_jwt.) and are as private as the key. The next run after ten minutes removes them.
requirements:
  - cryptography >= 3.0 (package C(python3-cryptography)), with O(algorithm=RS256)
seealso:
  - module: hpc.slurm_jwt.slurm_jwks
  - name: Slurm's guide to JWT
    description: How Slurm uses the key.
    link: https://slurm.schedmd.com/jwt.html
author:
  - The hpc.slurm_jwt contributors (@hpc-slurm-jwt)
"""

EXAMPLES = r"""
- name: The signing key of a controller
  hpc.slurm_jwt.slurm_jwt_key:
    path: /var/spool/slurmctld/jwt_hs256.key
    owner: slurm
    group: slurm

- name: Rotate it when the site declares another serial
  hpc.slurm_jwt.slurm_jwt_key:
    path: /var/spool/slurmctld/jwt_hs256.key
    owner: slurm
    group: slurm
    serial: 2026-11

- name: Read the key on the controller
  hpc.slurm_jwt.slurm_jwt_key:
    path: /var/spool/slurmctld/jwt_hs256.key
    owner: slurm
    group: slurm
    return_content: true
  register: made
  no_log: true

- name: Install it where slurmdbd runs, with label and age
  hpc.slurm_jwt.slurm_jwt_key:
    path: /etc/slurm/jwt_hs256.key
    owner: slurm
    group: slurm
    content: "{{ made.content }}"
    created: "{{ made.created }}"
    serial: "{{ made.serial | default('', true) }}"
  no_log: true

- name: A key for RS256, on the host where tokens are signed
  hpc.slurm_jwt.slurm_jwt_key:
    path: /etc/slurm-tokens/rs256.pem
    algorithm: RS256
    owner: slurm-tokens
  register: signer

- name: Let Slurm trust its public half
  hpc.slurm_jwt.slurm_jwks:
    path: /etc/slurm/jwks.json
    owner: slurm
    sources:
      - data: "{{ signer.public_jwk }}"

- name: Stage the next key, once for each serial
  hpc.slurm_jwt.slurm_jwt_key:
    path: /var/spool/slurmctld/jwt_hs256.key
    state: staged
    serial: 2026-12

- name: Bring it into force in all daemons of this host, without a reload
  hpc.slurm_jwt.slurm_jwt_key:
    path: /var/spool/slurmctld/jwt_hs256.key
    state: active
    method: in_place

- name: Replace a weak key that was made by hand, and keep the old one
  hpc.slurm_jwt.slurm_jwt_key:
    path: /var/spool/slurmctld/jwt_hs256.key
    owner: slurm
    weak: replace
    backup: true

- name: Remove the key, and keep it under another name
  hpc.slurm_jwt.slurm_jwt_key:
    path: /var/spool/slurmctld/jwt_hs256.key
    state: absent
    backup: true
"""

RETURN = r"""
key_path:
  description:
    - The key file. Not named C(path), since Ansible reads the file of a result with that name once more, and fails if
      another run has just removed it.
  returned: success
  type: str
  sample: /var/spool/slurmctld/jwt_hs256.key
algorithm:
  description: The algorithm that the key is for.
  returned: success
  type: str
  sample: HS256
size:
  description: Bytes of the key, or bits of an RSA key's modulus. Null if there is none.
  returned: success
  type: int
  sample: 32
fingerprint:
  description:
    - SHA-256 of the key file, to compare hosts. The part after the colon is what C(sha256sum) prints.
    - Null if there is no key, and in check mode for a random key that would be made.
  returned: success
  type: str
  sample: SHA256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
previous_fingerprint:
  description: Fingerprint of the key that this run replaced or removed. Null if it did neither.
  returned: success
  type: str
  sample: SHA256:fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9
differs:
  description:
    - Whether the key, its record, its owner or its mode differ from what the task declares. For tasks that only
      inspect, in check mode with C(changed_when=false).
  returned: success
  type: bool
  sample: false
next_fingerprint:
  description: Fingerprint of the staged key. Null if there is none, and with O(state=absent).
  returned: success
  type: str
  sample: SHA256:7d865e959b2466918c9863afca942d0fb89d7c9ac0c99bafc3749504ded97730
next_created:
  description: When the staged key was made, for O(created) where the same key is staged on another host.
  returned: success
  type: str
  sample: "2026-11-23T03:45:00Z"
public_jwk:
  description:
    - The public half of an RS256 key as a JSON Web Key, for M(hpc.slurm_jwt.slurm_jwks). Its C(kid) is the RFC 7638
      thumbprint. Null for HS256, and in check mode for a key that would be made.
  returned: success
  type: dict
  sample:
    kid: NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs
    kty: RSA
    alg: RS256
    n: sfT9GvX0
    e: AQAB
next_public_jwk:
  description: The public half of the staged key. Null if there is none.
  returned: success
  type: dict
  sample: null
next_serial:
  description: The label on record for the staged key. Null if there is none.
  returned: success
  type: str
  sample: 2026-12
next_by:
  description: Who made the staged key, if that is on record.
  returned: success
  type: str
  sample: root@mgmt1
next_run:
  description: The name of the run that is working on the staged key, if it has one.
  returned: success
  type: str
  sample: "mgmt1:0f3a:4026531836:4711:123456"
next_run_age:
  description: Seconds since that run claimed the staged key. Null if there is none.
  returned: success
  type: int
  sample: 12
activated:
  description: When this run brought a key into force, in seconds since 1970. Null if it did not.
  returned: success
  type: float
  sample: 1795405500.25
by:
  description: Who made the key, if that is on record.
  returned: success
  type: str
  sample: root@mgmt1
reason:
  description:
    - Why this run wrote another key. One of V(missing), V(content), V(force), V(serial), V(max_age) and V(weak).
    - Null if the key stays as it is or is removed.
  returned: success
  type: str
  sample: serial
serial:
  description: The label on record for the key. Null if there is none.
  returned: success
  type: str
  sample: 2026-11
created:
  description:
    - When the key was made, in UTC. From its record, or the file's modification time if there is no record. Null if
      there is no key.
  returned: success
  type: str
  sample: '2026-11-23T03:45:00Z'
age:
  description: Seconds since RV(created). Null if there is no key.
  returned: success
  type: int
  sample: 86400
backup_file:
  description: The copy of the key that was replaced or removed. Null if there is none.
  returned: success
  type: str
  sample: /var/spool/slurmctld/jwt_hs256.key.20261123T034500Z.bak
content:
  description: The key in base64. Null in check mode for a random key that would be made.
  returned: when O(return_content=true)
  type: str
  sample: '**************'
owner:
  description: Name of the key's owner, or the number if there is no name.
  returned: success
  type: str
  sample: slurm
group:
  description: Name of the key's group, or the number if there is no name.
  returned: success
  type: str
  sample: slurm
mode:
  description: Permissions of the key.
  returned: success
  type: str
  sample: '0400'
uid:
  description: Number of the key's owner. Null in check mode if there is no such user yet.
  returned: success
  type: int
  sample: 64030
gid:
  description: Number of the key's group. Null in check mode if there is no such group yet.
  returned: success
  type: int
  sample: 64030
state:
  description: What is at the path, V(file) or V(absent).
  returned: success
  type: str
  sample: file
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._ansible.secrets import register_secret
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.ownership import OwnershipError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.key_file import KeyFile
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.rotation import IN_PLACE, RENAME
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.rotation_states import KeyRotation
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.slots import NEXT, PREVIOUS
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.instant import InstantTooFar


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "state": {
                "type": "str",
                "choices": ["present", "absent", "staged", "active", "unstaged"],
                "default": "present",
            },
            "algorithm": {"type": "str", "choices": ["HS256", "RS256"], "default": "HS256"},
            "size": {"type": "int"},
            "content": {"type": "str", "no_log": True},
            "created": {"type": "str"},
            "serial": {"type": "raw"},
            "max_age": {"type": "str"},
            "weak": {"type": "str", "choices": ["fail", "keep", "replace"], "default": "fail"},
            "force": {"type": "bool", "default": False},
            "method": {"type": "str", "choices": [RENAME, IN_PLACE], "default": RENAME},
            "source": {"type": "str", "choices": [NEXT, PREVIOUS], "default": NEXT},
            "activate_at": {"type": "float"},
            "fingerprint": {"type": "str"},
            "by": {"type": "str"},
            "run": {"type": "str"},
            "take_over": {"type": "str"},
            "keep_previous": {"type": "bool", "default": True},
            "backup": {"type": "bool", "default": False},
            "return_content": {"type": "bool", "default": False},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "mode": {"type": "raw", "default": "0400"},
        },
        required_by={"created": ("content",)},
        supports_check_mode=True,
    )
    state = module.params["state"]
    try:
        task = Task(module.params, module.check_mode, module._diff, module.warn)
        work = KeyFile(task) if state in ("present", "absent") else KeyRotation(task)
        result = getattr(work, state)()
    except (TaskError, InstantTooFar, OwnershipError, SecretFileError) as exc:
        module.fail_json(msg=str(exc))
    if result.get("content"):
        register_secret(result["content"])
    module.exit_json(**result)


if __name__ == "__main__":
    main()

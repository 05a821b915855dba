#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_jwt_key
short_description: The key that signs Slurm's JSON Web Tokens
version_added: 1.0.0
description:
  - Makes, installs, rotates and removes the file that C(AuthAltParameters=jwt_key=) names. Whoever can read it can
    sign a token for root, so it is readable by its owner and, on request, by one group, from its first instant on.
  - A key that exists is never replaced unless the task asks for it, and never truncated. slurmctld and slurmdbd map
    their key into memory and die of a signal when it is cut short, which is what C(dd), C(cp) and a shell's C(>) do.
  - A new key takes the place of the old one by rename. Daemons that run go on with the old key until they are reloaded
    or restarted.
  - A rotation without a failed request is made of three states. V(staged) lays the next key beside the live one,
    V(active) brings it into force, in place if so asked, and V(unstaged) tidies up. The playbook
    C(hpc.slurm_jwt.rotate) does it on all key hosts together.
  - With O(algorithm=RS256) it makes the private key of a site that signs tokens itself and has Slurm trust its public
    half. Slurm's daemons never hold such a key.
  - Any number of runs at once, on one host or on several that share a file system, make one key, and one of them
    reports a change. This needs hard links, or else locks; a file system that has neither is refused.
  - A key that anyone could guess is reported. A key is judged by how strong it is, not by how it looks. 32 random
    bytes in hexadecimal or base64 are as good as 32 raw ones and pass. What a person typed, what repeats itself, what
    is shorter than 32 bytes, and what is another kind of file, such as a PEM, does not.
extends_documentation_fragment:
  - hpc.slurm_jwt.attributes
  - hpc.slurm_jwt.attributes.files
  - hpc.slurm_jwt.durations
attributes:
  check_mode:
    support: full
    details:
      - The folder and the owner need not exist yet in check mode.
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
      - The folder must exist and must not be writable by every user of the host. A symbolic link in the place of
        the file is refused, and so is one on the way to it that an unprivileged user could have put there.
      - What the site says of the key, its O(serial) and when it was O(created), is kept beside it in a file of the
        same name with C(.record) added and of the same owner and mode.
    type: path
    required: true
  state:
    description:
      - V(present) makes the key if it is missing.
      - V(absent) removes the key, its record, and the next and previous key of a rotation. Copies that O(backup) has
        kept stay.
      - V(staged) lays the next key beside the one in force, as a file of the same name with C(.next) added, if
        O(serial), O(max_age), O(content) or O(force) ask for another key than the one in force. A key that is staged
        already stays.
      - V(active) brings the staged key into force, and keeps the old one with C(.previous) added. Nothing happens if
        the staged key is in force already.
      - V(unstaged) takes the C(.next) file away. After V(active) that ends the rotation, before it nothing has ever
        been. The previous key stays for one way back, until the next rotation.
    type: str
    choices: [present, absent, staged, active, unstaged]
    default: present
  algorithm:
    description:
      - The algorithm that the key is for. V(HS256) is a file of random bytes, which slurmctld and slurmdbd hold too.
      - V(RS256) is a private RSA key in PEM, for tokens with a C(kid). It belongs on the hosts where tokens are made
        and nowhere else. Slurm gets its public half, RV(public_jwk), by M(hpc.slurm_jwt.slurm_jwks).
    type: str
    choices: [HS256, RS256]
    default: HS256
  size:
    description:
      - With V(HS256), bytes of a key that is made here, from 32 to 4096, by default 32. More than 64 add no strength.
      - With V(RS256), bits of its modulus, from 2048 to 8192, by default 3072.
      - With O(state=staged) by default as many as the key in force has, so that it can be activated in place.
      - An existing key of another size stays as it is.
    type: int
  content:
    description:
      - The key to install, its bytes in base64, for a host that must hold the same key as another. A key in PEM may
        also be given as it is.
      - A different key that exists is replaced, because giving this option asks for it.
    type: str
  created:
    description:
      - When the key in O(content) was made, as RV(created) of the host that made it says, so that the records of all
        key hosts agree and O(max_age) counts from there.
      - Without it, a key that is installed counts as made at that moment.
    type: str
  serial:
    description:
      - A label for the key, such as V(2026-11), that the site declares. The key is replaced when another label
        is on record for it, so declaring a new one rotates the key, once, however often the task runs.
      - A key that has no label on record gets this one and is not replaced. The site has just declared what it has.
        A record that was written for another key counts as none. With O(state=staged) it does count as another label,
        since who asks for a rotation wants one.
      - With O(content), the label of that key. It then replaces nothing by itself.
      - A number with a decimal point is refused, since YAML makes no difference between 2026.1 and 2026.10. Quote it.
    type: raw
  max_age:
    description:
      - The key is replaced when it is as old as this duration or older.
      - The age counts from the time on record, or from the file's modification time if there is no record.
      - With O(content), it replaces nothing by itself.
    type: str
  weak:
    description:
      - What to do about a key that is empty, shorter than 32 bytes, or estimated to be worth less than 128 bits, or an
        RSA key that is shorter than 2048 bits or that anybody could take apart.
      - V(fail) leaves it as it is and fails. This also refuses such a key in O(content).
      - V(keep) accepts it with a warning. An empty key is still refused, since Slurm's daemons do not start with it.
      - V(replace) makes a new key in its place. Every token that the old one signed becomes invalid.
      - A file that is no key of that O(algorithm) at all, such as a PEM with V(HS256), JSON or a configuration file, is
        refused in each case and replaced or removed only with O(force=true).
      - The key that O(fingerprint) names is accepted with a warning, whatever it looks like.
    type: str
    choices: [fail, keep, replace]
    default: fail
  force:
    description:
      - Make a new key in the place of whatever file is there, at every run. For an emergency, on the command line.
      - With O(content) or O(state=absent), consent to replacing or removing a file that is no key of that O(algorithm).
    type: bool
    default: false
  method:
    description:
      - How O(state=active) brings a key into force.
      - V(rename) puts another file in the place of the old one. Daemons that run go on with the old key until they load
        the new one.
      - V(in_place) changes the bytes of the file where they are. Running slurmctld and slurmdbd have mapped it and take
        the new key for the old one from that instant on, without a reload. That is how every release that was measured
        behaves (20.11 to 26.05), and no promise of Slurm's. It is refused where the two keys differ in length, and with
        O(algorithm=RS256), since no daemon has that key.
    type: str
    choices: [rename, in_place]
    default: rename
  source:
    description:
      - Which key O(state=active) brings into force. V(previous) is the way back.
    type: str
    choices: [next, previous]
    default: next
  activate_at:
    description:
      - The instant at which O(state=active) swaps the keys, in seconds since 1970 by the clock of this host. All is
        prepared before, so that several hosts can do it together.
      - An instant that has passed means now. One that is more than 120 seconds ahead is refused.
    type: float
  fingerprint:
    description:
      - The key that O(state=active) is to bring into force must have this fingerprint, or nothing is done.
      - With V(present), V(absent) and V(staged), consent to the very key of this fingerprint, be it the one that is
        there or the one in O(content), although it is weak or is no key of that O(algorithm). Slurm takes any file for
        a key, and one that is in force has to be kept until it is rotated. An empty one is refused still.
    type: str
  by:
    description:
      - Who has the key made, for the record, for example V(root@mgmt1).
    type: str
  run:
    description:
      - A name for the run that stages the key, so that two runs at once are told apart. O(state=staged) refuses where a
        key is staged under another name, and O(state=unstaged) leaves such a key alone. Without a name,
        O(state=staged) refuses any key that a named run has staged, and O(state=unstaged) takes it away.
    type: str
  take_over:
    description:
      - The name of a run that has died, whose staged key O(state=staged) goes on with.
    type: str
  keep_previous:
    description:
      - Whether O(state=unstaged) leaves the previous key for a way back.
    type: bool
    default: true
  backup:
    description:
      - Keep a key that is replaced, under its own name with the time in UTC and C(.bak) added, or one that is removed,
        with the time and C(.removed). The copy has mode 0400 and the owner of the key.
      - The old key verifies nothing once the daemons have the new one, but it is a secret still. Destroy it in time.
    type: bool
    default: false
  return_content:
    description:
      - Return the key in base64 as RV(content). Use it with C(no_log) on the task, to hand the key to other hosts
        without a file in between. With O(state=staged) it is the next key.
    type: bool
    default: false
  owner:
    description:
      - Name or number of the user who is to own the key. SlurmUser can use it with every release of Slurm.
      - If not given, it is the user who runs the module, root as a rule. A key that belongs to anybody else is refused
        then. It is neither left to a user whom nobody has declared, nor taken from a daemon that runs as that user.
    type: str
  mode:
    description:
      - Permissions of the key, V('0400'), V('0440'), V('0600') or V('0640'). Everything else is refused.
      - Write it in quotes. An unquoted V(400) is a decimal number to YAML and is refused, not guessed at.
      - Where the daemons read the key as members of its group, V('0440') must be said here.
    type: raw
    default: '0400'
notes:
  - Whoever owns a key that the module finds, or could read it, may have copied it. The module mends owner, mode and
    access control list and warns, and leaves it to the site to rotate the key.
  - A run that is killed leaves the old key or the new one, complete. What else it leaves has a name that
    begins with C(.slurm_jwt.) and is as private as the key. The next run after ten minutes removes it.
requirements:
  - cryptography >= 3.0 (package C(python3-cryptography)), with O(algorithm=RS256)
seealso:
  - module: hpc.slurm_jwt.slurm_jwks
  - name: Slurm's guide to JWT
    description: What the key is for, in Slurm's own words.
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

- name: The same, rotated whenever the site declares another serial
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

- name: Install it where slurmdbd runs, label and age included
  hpc.slurm_jwt.slurm_jwt_key:
    path: /etc/slurm/jwt_hs256.key
    owner: slurm
    group: slurm
    content: "{{ made.content }}"
    created: "{{ made.created }}"
    serial: "{{ made.serial | default('', true) }}"
  no_log: true

- name: A key for RS256, on the host where tokens are made
  hpc.slurm_jwt.slurm_jwt_key:
    path: /etc/slurm-tokens/rs256.pem
    algorithm: RS256
    owner: slurm-tokens
  register: signer

- name: Have Slurm trust its public half
  hpc.slurm_jwt.slurm_jwks:
    path: /etc/slurm/jwks.json
    owner: slurm
    sources:
      - data: "{{ signer.public_jwk }}"

- name: Stage the next key beside the one in force, once for each serial
  hpc.slurm_jwt.slurm_jwt_key:
    path: /var/spool/slurmctld/jwt_hs256.key
    state: staged
    serial: 2026-12

- name: Bring it into force in all daemons of this host, without a reload
  hpc.slurm_jwt.slurm_jwt_key:
    path: /var/spool/slurmctld/jwt_hs256.key
    state: active
    method: in_place

- name: Replace a key made by hand that is too weak, and keep the old one
  hpc.slurm_jwt.slurm_jwt_key:
    path: /var/spool/slurmctld/jwt_hs256.key
    owner: slurm
    weak: replace
    backup: true

- name: Take the key away, and keep it under another name
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
    - SHA-256 of the key file, to compare the keys of several hosts. What follows the colon is what C(sha256sum) prints.
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
    - Whether the key, its record, its owner or its mode were not as they were to be. For whoever only looks, in check
      mode, and so says C(changed_when=false).
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
  description: The same of the staged key. Null if there is none.
  returned: success
  type: dict
  sample: null
next_serial:
  description: The label on record for the staged key. Null if there is none.
  returned: success
  type: str
  sample: 2026-12
next_by:
  description: Who had the staged key made, where that is on record.
  returned: success
  type: str
  sample: root@mgmt1
next_run:
  description: The name of the run that is at work on the staged key, where it has one.
  returned: success
  type: str
  sample: "mgmt1:0f3a:4026531836:4711:123456"
next_run_age:
  description: Seconds since that run took the staged key up. Null if there is none.
  returned: success
  type: int
  sample: 12
activated:
  description: When this run brought a key into force, in seconds since 1970. Null if it did not.
  returned: success
  type: float
  sample: 1795405500.25
by:
  description: Who had the key made, where that is on record.
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
  description: Where the key that was replaced or removed is kept. Null if it is not kept.
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

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.ownership import OwnershipError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.key_file import KeyFile
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.rotation import IN_PLACE, RENAME
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.rotation_states import KeyRotation
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.slots import NEXT, PREVIOUS
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.instant import InstantTooFar


def _register_secret(text: str | None) -> None:
    """Have ansible-core 2.22 and later mask the key in all output."""
    try:
        from ansible.module_utils.secrets import register_secret
    except ImportError:
        return
    if text:
        register_secret(text)


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
    _register_secret(result.get("content"))
    module.exit_json(**result)


if __name__ == "__main__":
    main()

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
  - The file stays as it is, and the task fails, when a source cannot be fetched or has no key that Slurm may trust,
    when two keys have the same kid, when no key would be left, and when every key that is trusted now would go at once.
  - A key that its source has no more stays for O(retain), so that the tokens that it has signed can run out. O(remove)
    distrusts a key at once.
  - Daemons that run go on with the keys that they have loaded. RV(content_changed) says whether they have to load the
    file, which slurmctld does with C(scontrol reconfigure) from Slurm 23.11 on and by a restart before, and slurmdbd by
    a restart.
  - JWKS needs Slurm 21.08 or later.
author:
  - The hpc.slurm_jwt contributors (@hpc-slurm-jwt)
extends_documentation_fragment:
  - hpc.slurm_jwt.attributes
  - hpc.slurm_jwt.attributes.files
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
      - Where the keys come from. All sources are merged. Needed with O(state=present).
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
      - How long a key stays that its source has no more, from the first run on that finds it so. In seconds or with one
        of the units C(s), C(m), C(h), C(d) and C(w).
      - Make it as long as the longest token that the source issues. V(0) distrusts the key at once.
    type: str
    default: 1d
  remove:
    description:
      - Keys to distrust at once, wherever they come from, by their kid or RFC 7638 thumbprint. Other keys with the same
        modulus go with them, since whoever has the private half writes any kid into a token.
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
      - Seconds in which a source must have answered in full, its configuration and redirects included.
    type: int
    default: 30
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
  - C(HTTPS_PROXY) and C(NO_PROXY) in the task's environment are respected.
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

import json
import os
import time
from typing import Any, Callable, NamedTuple

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._dress import Dress, NobodyOfThatName, declared
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwk import LEAST_BITS, MAX_BITS, MIN_BITS, Jwk
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks import (
    Dropped,
    KeySet,
    KeySetEmpty,
    KeySetError,
    parse,
    render,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks_trust import (
    Noted,
    Outcome,
    Published,
    TrustRefused,
    Wishes,
    decide,
    format_record,
    next_change,
    parse_record,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._key import fingerprint, format_time, record_path
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._pem import LibraryMissing
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._places import group_name, user_name
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._secret_file import (
    SecretFile,
    SecretFileError,
    SecretFileMissing,
    create,
    held,
    read_if_there,
    read_secret,
    refuse_public_folder,
    remove,
    replace,
    set_attributes,
    sweep,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._token import TokenError, duration

_ATTEMPTS = 100  # against runs that do the opposite at the same time
_RESTLESS = "Something makes {0} and takes it away again all the time; find out who."

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
    "remove": {"type": "list", "elements": "str", "default": []},
    "merge": {"type": "bool", "default": False},
    "min_bits": {"type": "int", "default": MIN_BITS},
    "timeout": {"type": "int", "default": 30},
    "force": {"type": "bool", "default": False},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "raw", "default": "0400"},
}


class Refusal(Exception):
    """What was asked for is not done; str() says why and what to do."""


class Found(NamedTuple):
    """The key set as it is, and the record beside it."""

    file: SecretFile | None = None
    keys: tuple[Jwk, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    record_file: SecretFile | None = None
    record: tuple[Noted, ...] = ()


class Plan(NamedTuple):
    """What is to be on disk."""

    outcome: Outcome
    data: bytes
    record: bytes
    dress: Dress
    writes_keys: bool
    writes_record: bool
    mends: bool

    @property
    def acts(self) -> bool:
        return self.writes_keys or self.writes_record or self.mends


class TrustFile:
    """One key set, and the task's wishes for it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.params = module.params
        self.path: str = module.params["path"]
        self.now = int(time.time())
        self.declared = declared(self.params, module.check_mode or self.params["state"] == "absent")
        self.wishes = Wishes(
            self._retain(), frozenset(module.params["remove"]), module.params["merge"], module.params["force"]
        )

    def present(self) -> dict[str, Any]:
        refuse_public_folder(self.path, "keys")
        published = self._published()
        if not self.module.check_mode:
            sweep(self.path)
        for _attempt in range(_ATTEMPTS):
            found = self._look()
            plan = self._plan(found, published)
            if not plan.acts or self.module.check_mode:
                return self._report(found, plan)
            if found.file is None:
                if self._make(plan):
                    return self._report(found, plan)
                continue  # another run was first: see to its file
            try:
                with held(self.path):
                    # Whoever held it before us may have done all there was to do.
                    found = self._look()
                    plan = self._plan(found, published)
                    self._carry_out(found, plan)
                return self._report(found, plan)
            except SecretFileMissing:
                continue  # removed by another run while we waited
        raise Refusal(_RESTLESS.format(self.path))

    def absent(self) -> dict[str, Any]:
        found = self._look()
        there = bool(found.file or found.record_file)
        if there and not self.module.check_mode:
            # The keys first: without a record they would count as somebody else's.
            remove(self.path)
            remove(record_path(self.path))
            sweep(self.path)
        result = self._nothing()
        result.update(changed=there, content_changed=bool(found.file), state="absent")
        if found.file:
            result["previous_fingerprint"] = fingerprint(found.file.data)
            result["removed"] = [{"kid": key.kid, "reason": "the file is removed"} for key in found.keys]
        if self.module._diff:
            result["diff"] = self._diff(self._summary(found), {"state": "absent"})
        return result

    # Sources

    def _published(self) -> list[Published]:
        sources = self.params["sources"]
        if not sources:
            raise Refusal("sources is needed with state=present: it says where the keys come from.")
        found = []
        for number, source in enumerate(sources):
            name = source["issuer"] or source["url"] or source["path"] or f"sources[{number}]"
            data = self._fetch(name, number, source)
            if data is not None:
                found.append(Published(name, self._parse(name, data, source["kid"])))
        return found

    def _parse(self, name: str, data: bytes, kid: str | None) -> KeySet:
        try:
            found = parse(data, self.params["min_bits"], kid)
        except KeySetError as exc:
            raise self._unchanged(f"{name} {exc}") from None
        if not found.keys:
            reasons = "; ".join(f"{lost.kid} {lost.reason}" for lost in found.dropped[:5])
            raise self._unchanged(f"{name} has no key that Slurm may trust: {reasons}.")
        if kid and [key.kid for key in found.keys] != [kid]:
            raise self._unchanged(
                f"{name} has {len(found.keys)} keys, or one that has a kid already, so kid: {kid} names none of them."
                " Leave it out."
            )
        if found.leaked:
            self.module.warn(
                f"{name} publishes the private part of a key, so whoever reads it could sign tokens for root. That key"
                " is not trusted, whatever its kid. Have its issuer replace it, and see what was done with it."
            )
        return found

    def _fetch(self, name: str, number: int, source: dict[str, Any]) -> bytes | None:
        """What a source has; None for one that an earlier task would have made if this were not check mode."""
        given = [option for option in ("issuer", "url", "path", "data") if source[option] not in (None, "")]
        if not given and self.module.check_mode:
            self.module.warn(f"sources[{number}] is empty yet, so it is not known which keys it will have.")
            return None
        if len(given) != 1:
            raise Refusal(f"sources[{number}] needs exactly one of issuer, url, path and data; it has {len(given)}.")
        if given == ["data"]:
            data = source["data"]
            return data.encode("utf-8", "replace") if isinstance(data, str) else json.dumps(data).encode("ascii")
        if given == ["path"]:
            return self._read_source(name)
        return self._ask(name, source)

    def _read_source(self, path: str) -> bytes | None:
        try:
            file = read_secret(path)
        except SecretFileMissing as exc:
            if self.module.check_mode:
                self.module.warn(f"{exc} So it is not known which keys it will have.")
                return None
            raise
        if file.mode & 0o002:
            raise self._unchanged(
                f"{path} is writable by every user of the host (mode {file.mode:04o}), who could put a key of their own"
                " there and be root on the cluster. See who has, then take that away (chmod o-w)."
            )
        return file.data

    def _ask(self, name: str, source: dict[str, Any]) -> bytes:
        # It imports much, and a task whose sources are files or data does without.
        from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks_fetch import (
            FetchError,
            Rules,
            fetch_keys,
            fetch_keys_of_issuer,
        )

        rules = Rules(float(self.params["timeout"]), source["allow_http"], source["allow_shared"])
        get = _opener(source["ca_path"])
        try:
            if source["issuer"]:
                return fetch_keys_of_issuer(name, get, rules)[1]
            return fetch_keys(name, get, rules)
        except FetchError as exc:
            raise self._unchanged(str(exc)) from exc

    def _unchanged(self, text: str) -> Refusal:
        return Refusal(f"{text} {self.path} was left as it is.")

    # What is there

    def _look(self) -> Found:
        file, record_file = self._read(self.path), self._read(record_path(self.path))
        record = tuple(parse_record(record_file.data)) if record_file else ()
        if file is None:
            return Found(None, (), (), record_file, record)
        try:
            there = parse(file.data, self.params["min_bits"])
        except KeySetEmpty:
            return Found(file, (), (), record_file, record)
        except KeySetError as exc:
            if not self.params["force"]:
                raise self._unchanged(f"{self.path} {exc} Correct the path, or consent with force: true.") from None
            return Found(file, (), (), record_file, record)
        keys: dict[str, Jwk] = {}
        dropped = list(there.dropped)
        for key in there.keys:
            if keys.setdefault(key.kid, key) != key:
                dropped.append(Dropped(key.kid, "has the kid of another key before it"))
        return Found(file, tuple(keys.values()), tuple(dropped), record_file, record)

    def _read(self, path: str) -> SecretFile | None:
        return read_if_there(path, self.module.check_mode or self.params["state"] == "absent")

    # What is to be done

    def _plan(self, found: Found, published: list[Published]) -> Plan:
        record, wishes = found.record, self.wishes
        if len(published) < len(self.params["sources"]):
            # Check mode, and some sources have yet to be made: of what is there nothing is known to go.
            record, wishes = (), wishes._replace(merge=True, force=True)
        try:
            outcome = decide(found.keys, record, published, wishes, self.now)
        except TrustRefused as exc:
            if published:
                raise self._unchanged(str(exc)) from None
            outcome = Outcome([], [], [], [], [], [], [])
        data = render(outcome.keys) if outcome.keys else b""
        noted = format_record(outcome.record)
        dress = self.declared.dress(found.file)
        files = [file for file in (found.file, found.record_file) if file]
        return Plan(
            outcome,
            data,
            noted,
            dress,
            found.file is None or found.file.data != data,
            found.record_file is None or found.record_file.data != noted,
            any((file.uid, file.gid, file.mode) != dress for file in files),
        )

    # Doing it

    def _make(self, plan: Plan) -> bool:
        """Make the file; False if another run was first, whose record is then put right."""
        replace(record_path(self.path), plan.record, *plan.dress)
        return create(self.path, plan.data, *plan.dress)

    def _carry_out(self, found: Found, plan: Plan) -> None:
        if plan.writes_keys:
            # Until the new keys are there, the record has to speak of the old ones too: killed in between, the next run
            # would take a key that was to go for one that somebody else has put there.
            old = [noted for noted in found.record if noted.name not in [each.name for each in plan.outcome.record]]
            both = format_record([*plan.outcome.record, *old])
            if found.record_file is None or found.record_file.data != both:
                replace(record_path(self.path), both, *plan.dress)
            replace(self.path, plan.data, *plan.dress)
        elif plan.mends:
            set_attributes(self.path, *plan.dress)
        now = self._read(record_path(self.path))
        if now is None or now.data != plan.record:
            replace(record_path(self.path), plan.record, *plan.dress)
        elif plan.mends:
            set_attributes(record_path(self.path), *plan.dress)

    # What is said about it

    def _report(self, found: Found, plan: Plan) -> dict[str, Any]:
        outcome = plan.outcome
        result = self._nothing()
        soon = next_change(outcome)
        if found.file:
            self._warn(found.file)
            if plan.writes_keys:
                result["previous_fingerprint"] = fingerprint(found.file.data)
        dropped = [(self.path, lost) for lost in found.dropped] + outcome.dropped
        result.update(
            changed=plan.acts,
            content_changed=plan.writes_keys,
            state="file",
            kids=sorted(key.kid for key in outcome.keys),
            added=outcome.added,
            kept=outcome.kept,
            retired=[{"kid": gone.kid, "until": format_time(gone.until)} for gone in outcome.retired],
            removed=[lost._asdict() for lost in outcome.removed],
            dropped=[{"source": source, **lost._asdict()} for source, lost in dropped],
            next_change=None if soon is None else format_time(soon),
            **self.declared.names(plan.dress),
        )
        if plan.data:
            result.update(jwks=json.loads(plan.data), size=len(plan.data), fingerprint=fingerprint(plan.data))
        if self.module._diff:
            result["diff"] = self._diff(self._summary(found), self._summary_after(plan))
        return result

    def _nothing(self) -> dict[str, Any]:
        lists: dict[str, Any] = {name: [] for name in ("kids", "added", "kept", "retired", "removed", "dropped")}
        nulls = dict.fromkeys(
            ("next_change", "jwks", "size", "fingerprint", "previous_fingerprint")
            + ("owner", "group", "mode", "uid", "gid")
        )
        return {"path": self.path, **lists, **nulls}

    def _summary(self, found: Found) -> dict[str, Any]:
        """What a diff shows: enough to tell one key from another."""
        if found.file is None:
            return {"state": "absent"}
        retired = {
            noted.kid: format_time(noted.withdrawn + self.wishes.retain)
            for noted in found.record
            if noted.withdrawn is not None
        }
        return {
            "state": "present",
            "keys": _summary_of_keys(found.keys, retired),
            "owner": user_name(found.file.uid),
            "group": group_name(found.file.gid),
            "mode": f"{found.file.mode:04o}",
        }

    def _summary_after(self, plan: Plan) -> dict[str, Any]:
        names = self.declared.names(plan.dress)
        retired = {gone.kid: format_time(gone.until) for gone in plan.outcome.retired}
        return {
            "state": "present",
            "keys": _summary_of_keys(plan.outcome.keys, retired),
            **{name: names[name] for name in ("owner", "group", "mode")},
        }

    def _diff(self, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
        return {"before_header": self.path, "after_header": self.path, "before": before, "after": after}

    def _warn(self, file: SecretFile) -> None:
        mended = "would be" if self.module.check_mode else "were"
        if file.mode & 0o022:
            who = "every user of the host" if file.mode & 0o002 else "its group"
            self.module.warn(
                f"{self.path} had mode {file.mode:04o}, so {who} could write it. Its permissions {mended} mended; see"
                " whether a key among kept and retired is one that nobody knows."
            )
        if file.uid not in (0, os.geteuid(), self.declared.dress(file).uid):
            self.module.warn(
                f"{self.path} belonged to {user_name(file.uid)}, who could write it. See whether a key among kept and"
                " retired is one that nobody knows."
            )

    # What the task says

    def _retain(self) -> int:
        try:
            return duration(self.params["retain"])
        except TokenError as exc:
            raise Refusal(f"retain: {exc}") from None


def _opener(ca_path: str | None) -> Callable[[str, float], Any]:
    """How an address is opened. The library takes half a second to import, so only where there is something to open."""
    from ansible.module_utils.urls import open_url

    if ca_path is not None and not os.path.isfile(ca_path):
        raise Refusal(f"ca_path: there is no file {ca_path} on this host. Bring it there first, or correct the path.")

    def get(url: str, timeout: float) -> Any:
        return open_url(
            url,
            headers={"Accept": "application/json"},
            http_agent="hpc.slurm_jwt",
            timeout=timeout,
            ca_path=ca_path,
            follow_redirects="none",
            decompress=False,
            use_netrc=False,
        )

    return get


def _summary_of_keys(keys: Any, retired: dict[str, str]) -> list[dict[str, Any]]:
    summary = []
    for key in sorted(keys):
        about = {"kid": key.kid, "bits": key.bits, "thumbprint": key.thumbprint}
        if key.kid in retired:
            about["retired until"] = retired[key.kid]
        summary.append(about)
    return summary


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    # Ansible would look at the path once more, and crash if another run has just removed the file.
    module.add_path_info = lambda result: result
    bits, timeout = module.params["min_bits"], module.params["timeout"]
    if not LEAST_BITS <= bits <= MAX_BITS:
        module.fail_json(msg=f"min_bits: {bits} is out of range; give {LEAST_BITS} to {MAX_BITS}.")
    if not 1 <= timeout <= 3600:
        module.fail_json(msg=f"timeout: {timeout} is out of range; give 1 to 3600 seconds.")
    try:
        result = getattr(TrustFile(module), module.params["state"])()
    except (Refusal, NobodyOfThatName, SecretFileError, LibraryMissing) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()

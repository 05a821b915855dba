#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_jwt_proof
short_description: Prove that running Slurm daemons accept good tokens and refuse bad ones
version_added: 1.0.0
description:
  - Presents tokens to the daemons of a running cluster. A good one must be accepted. An expired one, one signed with
    another key, one without a signature, and through slurmrestd also none at all and a plain user's under the name of
    root, must be refused.
  - slurmctld is asked by C(sdiag) and slurmdbd by C(sacctmgr list cluster), both from this host. These are allowed to
    everybody, whatever C(PrivateData) says. slurmrestd is asked over HTTP.
  - Tells apart a daemon that refuses, one that does not answer, and a host that cannot ask. Where a release says the
    same for a refusal as for a daemon that is down, it counts as a refusal only between two good tokens that were
    accepted.
  - The tokens are made in memory. They reach the client programs in their environment and slurmrestd in headers, and
    are nowhere else.
  - A proof takes well under a second, unless a daemon does not answer.
author:
  - hpc.slurm_jwt contributors (@hpc-slurm-jwt)
extends_documentation_fragment:
  - hpc.slurm_jwt.attributes
  - hpc.slurm_jwt.attributes.info_module
  - hpc.slurm_jwt.durations
options:
  daemons:
    description:
      - What to ask. V(slurmctld) and V(slurmdbd) need Slurm's client programs and the plugin C(auth_jwt.so) on this
        host, and nothing of them needs to run here. V(slurmrestd) needs O(rest_url).
    type: list
    elements: str
    choices: [slurmctld, slurmdbd, slurmrestd]
    default: [slurmctld, slurmdbd]
  key_path:
    description:
      - The signing key, to make the tokens with, one for HS256 or a private RSA key in PEM, which signs with RS256. It
        wants the package C(python3-jwt), and an RSA key C(python3-cryptography), too.
      - One of this, O(jwks_path) and O(tokens) is needed.
    type: path
  algorithm:
    description:
      - What the key at O(key_path) signs with. By default it is V(RS256) for a key in PEM, and V(HS256) for any other.
      - V(HS256) is to be said where the cluster's key for HS256 may be a PEM, which Slurm accepts.
    type: str
    choices: [HS256, RS256]
  fingerprint:
    description:
      - The fingerprint that the key at O(key_path) has to have, C(SHA256:) and what C(sha256sum) prints. Another key
        proves nothing of the one that is meant.
    type: str
  jwks_path:
    description:
      - The key set that the daemons have loaded, as M(hpc.slurm_jwt.slurm_jwks) makes it. RS256 tokens with the kid of
        one of its keys, signed with another, must be refused, and so must be one of an unknown kid, and one that takes
        the public key for the secret of HS256.
      - Where there is no O(key_path) either, because all keys are those of an identity provider, nothing here can sign
        a good token. Client programs then show by the cluster's own authentication that a daemon is there, and of
        slurmrestd only clear answers count. Give O(sample_token) to prove that good ones are accepted.
    type: path
  sample_token:
    description:
      - A token of the site that ought to be accepted, such as one of an identity provider. It is not among RV(tokens),
        so give it again to a run that takes those.
    type: str
  retired_key_path:
    description:
      - A key that counts no more, one for HS256. A token that it signed must be refused. The file need
        not be there; without it that case is left out.
    type: path
  tokens:
    description:
      - The tokens to present, by case, as RV(tokens) of an earlier run has them. For hosts that have no key, such as
        that of slurmrestd.
    type: dict
  user:
    description:
      - The user the tokens are made for, a plain one.
      - With O(tokens), the user is that of the good token, if there is one.
    type: str
    default: nobody
  lifespan:
    description: How long the good token lives, a duration.
    type: str
    default: 5m
  conf_path:
    description:
      - The slurm.conf for the client programs. If there is no such file, they look for theirs themselves, as on a
        configless host.
    type: path
    default: /etc/slurm/slurm.conf
  bin_dir:
    description: The folder of Slurm's programs, where they are not in the usual places.
    type: path
  rest_url:
    description:
      - Where slurmrestd listens, such as V(http://127.0.0.1:6820) or V(unix:/run/slurmrestd/slurmrestd.socket).
    type: str
  rest_ca_path:
    description: The file of CA certificates to check an C(https) address against. By default those of the host.
    type: path
  rest_user:
    description:
      - The user that slurmrestd runs as. Where O(rest_url) is on this host, tokens are sent only to a program of that
        user or of root. Any user may listen on a port from 1024 on while slurmrestd does not.
      - Left out, tokens are sent to whatever is there.
    type: str
  rest_slurmdb:
    description: Whether to ask slurmrestd for something of slurmdbd, too. Not where there is no slurmdbd.
    type: bool
    default: true
  release:
    description:
      - The release of slurmrestd, such as V(24.11). It is not needed. Knowing it spares requests for versions of its
        API that it has not, and lets slurmdbd 20.11.6 and later of the 20.11 series be asked everything.
    type: str
  timeout:
    description:
      - Seconds to wait for each answer. A daemon that did not answer a good token is not asked again.
    type: int
    default: 5
  return_tokens:
    description:
      - Whether to return the tokens in RV(tokens), for O(tokens) of a run on another host. Set C(no_log) on the task,
        except on ansible-core 2.22 and later, where the values returned are masked in all output.
      - With C(no_log) nobody reads why a cluster is not proven. So have the tokens returned by a task of their own
        with O(daemons=[]), as in the examples.
    type: bool
    default: false
  fail_unproven:
    description: Whether a cluster that is not proven is an error.
    type: bool
    default: true
requirements:
  - PyJWT >= 1.7 (package C(python3-jwt)), with O(key_path) or O(jwks_path)
  - cryptography >= 3.0 (package C(python3-cryptography)), with O(jwks_path) or an RSA key
notes:
  - A token for a user who does not exist on a daemon's host is accepted by Slurm, as that of nobody in particular. So
    an accepted token does not prove that the user exists there.
  - Slurm before 20.11.6 has a slurmdbd that dies of a request under another user's name. That case is left out there,
    and RV(left_out) says so.
seealso:
  - module: hpc.slurm_jwt.slurm_jwt_token
"""

EXAMPLES = r"""
- name: Prove that slurmctld and slurmdbd check tokens
  hpc.slurm_jwt.slurm_jwt_proof:
    key_path: /var/spool/slurmctld/jwt_hs256.key

- name: Wait until slurmdbd, just restarted, is proven
  hpc.slurm_jwt.slurm_jwt_proof:
    key_path: /var/spool/slurmctld/jwt_hs256.key
    daemons: [slurmdbd]
  register: proof
  until: proof is success
  retries: 10
  delay: 1

- name: Prove a cluster whose keys are all an identity provider's
  hpc.slurm_jwt.slurm_jwt_proof:
    jwks_path: /etc/slurm/jwks.json
    sample_token: "{{ lookup('community.hashi_vault.vault_read', 'secret/slurm/sample').data.token }}"

- name: Make tokens where the key is
  hpc.slurm_jwt.slurm_jwt_proof:
    key_path: /var/spool/slurmctld/jwt_hs256.key
    daemons: []
    return_tokens: true
  no_log: true
  delegate_to: controller
  register: cases

- name: Prove slurmrestd from its own host
  hpc.slurm_jwt.slurm_jwt_proof:
    tokens: "{{ cases.tokens }}"
    daemons: [slurmrestd]
    rest_url: http://127.0.0.1:6820
"""

RETURN = r"""
proven:
  description: Whether each answer was the expected one, and there was one at all.
  returned: always
  type: bool
  sample: true
answers:
  description: What each daemon did with each token.
  returned: always
  type: list
  elements: dict
  contains:
    daemon:
      description: The daemon that was asked.
      returned: always
      type: str
      sample: slurmdbd
    asked:
      description: How it was asked.
      returned: always
      type: str
      sample: sacctmgr list cluster
    case:
      description:
        - The token presented. V(good), V(expired), V(forged) (signed with another key), V(unsigned) (algorithm none),
          V(retired) (signed with O(retired_key_path)), V(foreign_name) (a good one under the name of root), or V(none).
        - With O(jwks_path) also V(forged_kid) (RS256, the kid of a trusted key, another signature), V(unknown_kid), and
          V(confused) (HS256 with a public key as secret). V(sample) is O(sample_token).
        - V(own) is no token but the cluster's own authentication, where there is neither a good nor a sample token.
      returned: always
      type: str
      sample: forged
    expected:
      description: What it should do, V(accepted) or V(refused).
      returned: always
      type: str
      sample: refused
    answer:
      description:
        - What it did. V(accepted), V(refused), V(unreachable) (the daemon does not answer), V(unclear) (it answered,
          and the answer may mean either) or V(unasked) (this host could not ask).
      returned: always
      type: str
      sample: refused
    detail:
      description: The words of the client or of slurmrestd, without any token.
      returned: always
      type: str
      sample: "slurm_get_statistics: Protocol authentication error"
left_out:
  description: Cases that were left out, with C(daemon), C(asked), C(case) and C(reason).
  returned: always
  type: list
  elements: dict
  sample: []
user:
  description: The user of the tokens. Null if they name none that is known here.
  returned: always
  type: str
  sample: nobody
tokens:
  description: The tokens by case, with O(return_tokens=true). Else, and where the module fails, empty.
  returned: always
  type: dict
"""

import pwd
import time
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import (
    FolderMissing,
    SecretFileError,
    SecretFileMissing,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import read_secret
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.key_set import OWN_LIMITS, KeySetEmpty, KeySetError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.key_set import parse as parse_jwks
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import fingerprint
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.jwk import LEAST_BITS, Jwk, Rules, from_members
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.pem import LibraryMissing
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof.probe import (
    CASES,
    MINTED,
    TAKEN,
    Answer,
    ProofError,
    Rest,
    Signer,
    ask_rest,
    explain,
    find_endpoint,
    forge,
    headers_of,
    hide_tokens,
    mint,
    put,
    put_blindly,
    without_tokens,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client import (
    TIMED_OUT,
    Client,
    ClientError,
    forget_environment,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client_reply import CLIENTS, Reply, reply_of_client
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import Release, parse
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import (
    TokenError,
    expiry_of,
    is_pem,
    split,
    user_of,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.issue import lifespan

try:
    # ansible-core 2.22 and later mask values registered here in all output.
    from ansible.module_utils.secrets import register_secret
except ImportError:

    def register_secret(value: str) -> None:
        """Older ansible-core masks the values of no_log options only."""


_VAGUE = "Without a good token it cannot be told whether this is a refusal or a daemon that is down."

ARGUMENTS = {
    "daemons": {
        "type": "list",
        "elements": "str",
        "choices": ["slurmctld", "slurmdbd", "slurmrestd"],
        "default": ["slurmctld", "slurmdbd"],
    },
    "key_path": {"type": "path", "no_log": False},
    "algorithm": {"type": "str", "choices": ["HS256", "RS256"]},
    "fingerprint": {"type": "str"},
    "jwks_path": {"type": "path"},
    "sample_token": {"type": "str", "no_log": True},
    "retired_key_path": {"type": "path", "no_log": False},
    "tokens": {"type": "dict", "no_log": True},
    "user": {"type": "str", "default": "nobody"},
    "lifespan": {"type": "str", "default": "5m"},
    "conf_path": {"type": "path", "default": "/etc/slurm/slurm.conf"},
    "bin_dir": {"type": "path"},
    "rest_url": {"type": "str"},
    "rest_ca_path": {"type": "path"},
    "rest_user": {"type": "str"},
    "rest_slurmdb": {"type": "bool", "default": True},
    "release": {"type": "str"},
    "timeout": {"type": "int", "default": 5},
    "return_tokens": {"type": "bool", "default": False, "no_log": False},
    "fail_unproven": {"type": "bool", "default": True},
}


def minted(params: dict[str, Any]) -> dict[str, str]:
    """The tokens, made with the key."""
    user = params["user"]
    try:
        uid = pwd.getpwnam(user).pw_uid
    except KeyError:
        raise ProofError(f"user: There is no user {user!r} on this host. Name one that exists on all hosts.") from None
    if uid == 0:
        raise ProofError("user: The proof wants a plain user, not root, who may use any name.")
    try:
        seconds = lifespan(params["lifespan"])
    except TokenError as exc:
        raise ProofError(f"lifespan: {exc}") from exc
    key = read_key("key_path", params["key_path"])
    if key is None and params["key_path"]:
        raise ProofError(f"key_path: {params['key_path']} does not exist. Make it with slurm_jwt_key.")
    found = None if key is None else fingerprint(key)
    if params["fingerprint"] and found != params["fingerprint"]:
        raise ProofError(
            f"key_path: {params['key_path']} holds the key {found}, and {params['fingerprint']} was to be proven. "
            "Somebody has put another key there."
        )
    retired = read_key("retired_key_path", params["retired_key_path"])
    # The way back makes the old key the one in force.
    now = time.time()
    signer = None if key is None else signer_of(key, params["algorithm"])
    tokens = mint(user, signer, now, seconds, None if retired == key else retired)
    if params["jwks_path"]:
        tokens.update(forge(user, trusted_key(params["jwks_path"]), now, seconds))
    return tokens


def signer_of(key: bytes, algorithm: str | None) -> Signer:
    """Who signs with that key."""
    if algorithm == "HS256" or not is_pem(key):
        return Signer(key)
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import rs256

    rs256.check_library()
    try:
        return Signer(key, rs256.public_jwk(key)["kid"])
    except rs256.RsaKeyError as exc:
        raise ProofError(f"key_path: it {exc}.") from exc


def trusted_key(path: str) -> Jwk:
    """One of the keys that the daemons trust, to be imitated."""
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import rs256

    rs256.check_library()
    data = read_key("jwks_path", path)
    if data is None:
        raise ProofError(f"jwks_path: {path} does not exist. Make it with slurm_jwks.")
    try:
        keys = parse_jwks(data, Rules(LEAST_BITS), limits=OWN_LIMITS).keys
    except KeySetEmpty:
        # Every key is distrusted. Then the key of a stranger is as good as any to be refused.
        return from_members(rs256.public_jwk(rs256.generate(rs256.MIN_BITS)))
    except KeySetError as exc:
        raise ProofError(f"jwks_path: {path} {exc}") from exc
    if not keys:
        raise ProofError(f"jwks_path: {path} has no key that Slurm could use. Make it with slurm_jwks.")
    return keys[0]


def sample(token: str, now: float) -> str:
    """The site's token, unless everybody can see that it is of no use any more."""
    try:
        expiry = expiry_of(split(token).claims)
    except TokenError as exc:
        raise ProofError(f"sample_token: {exc}") from exc
    if expiry is None or expiry <= now:
        past = "has no time of expiry" if expiry is None else f"expired {int(now - expiry)} s ago"
        raise ProofError(f"sample_token: It {past}. Give a new one, or none.")
    return token


def read_key(option: str, path: str | None) -> bytes | None:
    """The key at that path, None if there is none."""
    try:
        return read_secret(path).data if path else None
    except FolderMissing as exc:
        raise ProofError(f"{option}: {exc}") from exc
    except SecretFileMissing:
        return None
    except SecretFileError as exc:
        raise ProofError(f"{option}: {exc}") from exc


def given(tokens: dict[str, Any]) -> dict[str, str]:
    """The tokens of an earlier run."""
    unknown = sorted(set(tokens) - set(MINTED))
    if unknown or not any(tokens.get(case) for case in MINTED):
        raise ProofError(
            f"tokens: {'unknown case ' + unknown[0] if unknown else 'there is none'}. "
            f"Pass on what return_tokens gave, with the cases {', '.join(MINTED)}."
        )
    return {case: str(tokens[case]) for case in MINTED if tokens.get(case)}


def user_in(tokens: dict[str, str]) -> str | None:
    """Whose name slurmrestd is told beside the tokens; None if the good one names nobody by a claim known here."""
    case = next((case for case in ("good", "sample", "forged") if case in tokens), None)
    if case is None:
        return None
    try:
        user = user_of(split(tokens[case]).claims)
    except TokenError as exc:
        raise ProofError(f"tokens: {case}: {exc}") from exc
    if user is None and case == "good":
        raise ProofError("tokens: good: It names no user, so slurmrestd cannot be asked with it.")
    return user


def ask_client(daemon: str, module: AnsibleModule, tokens: dict[str, str]) -> list[Answer]:
    """What slurmctld or slurmdbd answers to a client program."""
    client = Client(module.params["bin_dir"], module.params["conf_path"], module.params["timeout"])
    command = CLIENTS[daemon]

    def ask(case: str) -> Reply:
        rc, out, err = module.run_command(client.argv(*command), environ_update=client.environment(tokens.get(case)))
        return reply_of_client(rc, out, err, TIMED_OUT, client.timeout)

    asked = " ".join(word for word in command if not word.startswith("-") and "=" not in word)
    cases = list(tokens) if set(tokens) & set(TAKEN) else ["own", *tokens]
    return put(daemon, asked, cases, ask)


def ask_slurmrestd(
    module: AnsibleModule, tokens: dict[str, str], user: str | None, left_out: list[dict[str, str]]
) -> list[Answer]:
    """What slurmrestd answers, for slurmctld and for slurmdbd."""
    params = module.params
    rest = Rest(params["rest_url"], params["timeout"], params["rest_ca_path"], params["rest_user"])
    taken = next((case for case in TAKEN if case in tokens), None)
    more = ("foreign_name", "none") if taken == "good" else ("none",)
    answers = []
    for behind in ("slurmctld", "slurmdbd") if params["rest_slurmdb"] else ("slurmctld",):
        first = taken or next(iter(tokens))
        endpoint = find_endpoint(behind, asker(rest, headers_of(first, tokens, user)), release_of(params))
        asked = f"GET {endpoint.path}"
        cases = [case for case in CASES if case in (*tokens, *more) and case not in endpoint.skipped]
        ask = by_case(rest, endpoint.path, tokens, user)
        skipped = {case: reason for case, reason in endpoint.skipped.items() if case in more}
        if taken:
            answers += put("slurmrestd", asked, cases, ask, endpoint.first)
        else:
            told, vague = put_blindly("slurmrestd", asked, cases, ask)
            answers += told
            skipped.update({case: f"{_VAGUE} It said: {detail}" for case, detail in vague.items()})
        left_out += [
            {"daemon": "slurmrestd", "asked": asked, "case": case, "reason": reason} for case, reason in skipped.items()
        ]
    return answers


def asker(rest: Rest, headers: dict[str, str]) -> Callable[[str], Reply]:
    return lambda path: ask_rest(rest, path, headers)


def by_case(rest: Rest, path: str, tokens: dict[str, str], user: str | None) -> Callable[[str], Reply]:
    return lambda case: ask_rest(rest, path, headers_of(case, tokens, user))


def release_of(params: dict[str, Any]) -> Release | None:
    try:
        return None if params["release"] is None else parse(params["release"])
    except ValueError as exc:
        raise ProofError(f"release: {exc}") from exc


def prove(module: AnsibleModule) -> dict[str, Any]:
    """The module's result."""
    params = module.params
    if "slurmrestd" in params["daemons"] and not params["rest_url"]:
        raise ProofError("rest_url is needed to ask slurmrestd. Give its address, such as http://127.0.0.1:6820.")
    tokens = minted(params) if params["tokens"] is None else given(params["tokens"])
    if params["sample_token"]:
        tokens["sample"] = sample(params["sample_token"], time.time())
    user = user_in(tokens)
    answers: list[Answer] = []
    left_out: list[dict[str, str]] = []
    for daemon in CLIENTS:
        if daemon in params["daemons"]:
            answers += ask_client(daemon, module, tokens)
    if "slurmrestd" in params["daemons"]:
        answers += ask_slurmrestd(module, tokens, user, left_out)
    answers = [without_tokens(answer, tokens) for answer in answers]
    left_out = [dict(left, reason=hide_tokens(left["reason"], tokens)) for left in left_out]
    if params["return_tokens"]:
        for token in tokens.values():
            register_secret(token)
    return {
        "changed": False,
        "proven": bool(answers) and all(answer.answer == answer.expected for answer in answers),
        "answers": [answer._asdict() for answer in answers],
        "left_out": left_out,
        "user": user,
        # The sample is an option, and Ansible would not let it through; whoever goes on with these has it.
        "tokens": {case: tokens[case] for case in tokens if case != "sample"} if params["return_tokens"] else {},
        "explanation": explain(answers),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        mutually_exclusive=[("key_path", "tokens"), ("jwks_path", "tokens")],
        required_one_of=[("key_path", "jwks_path", "tokens")],
        supports_check_mode=True,
    )
    forget_environment()
    try:
        result = prove(module)
    except (ProofError, ClientError, TokenError, LibraryMissing) as exc:
        module.fail_json(msg=str(exc))
    explanation = result.pop("explanation")
    if explanation and module.params["fail_unproven"]:
        module.fail_json(msg=f"The cluster is not proven. {explanation}", **{**result, "tokens": {}})
    module.exit_json(**result)


if __name__ == "__main__":
    main()

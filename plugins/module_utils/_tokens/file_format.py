# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats in which a file holds a token. Private to this collection."""

from __future__ import annotations

import json
import re

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError, expiry_of, split
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.issue import check_user_name

_JSON_MEMBERS = ("user", "token", "expires")
# Begin and end of the line that sets the header.
_DIRECTIVES = {"nginx": ("proxy_set_header", r"[ \t]*;"), "apache": (r"RequestHeader[ \t]+set", "")}
FORMATS = ("raw", "env", "header", "json", "nginx", "apache")
"""raw: the token and nothing else, not even a newline; env: for a shell or a systemd unit's EnvironmentFile;
header: both headers that slurmrestd of any release accepts, for curl -H @FILE; json: an object; nginx and apache: one
line to be included in their configuration, which sets the header with the token on requests to slurmrestd."""


def render(form: str, token: str, user: str) -> bytes:
    """The content of a file of that format."""
    check_user_name(user)
    if form == "raw":
        text = token
    elif form == "env":
        text = f"SLURM_JWT={token}\n"
    elif form == "header":
        text = f"X-SLURM-USER-NAME: {user}\nX-SLURM-USER-TOKEN: {token}\n"
    elif form == "json":
        values = (user, token, expiry_of(split(token).claims))
        text = json.dumps(dict(zip(_JSON_MEMBERS, values))) + "\n"
    elif form == "nginx":
        text = f'proxy_set_header X-SLURM-USER-TOKEN "{token}";\n'
    elif form == "apache":
        text = f'RequestHeader set X-SLURM-USER-TOKEN "{token}"\n'
    else:
        raise TokenError(f"{form!r} is not a format of token files. There are {', '.join(FORMATS)}.")
    return text.encode("utf-8")


def extract(form: str, data: bytes) -> str:
    """The token in a file of that format; its signature is not checked."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise TokenError("The file holds binary data, not a token.") from None
    if form == "raw":
        token = text.strip()
    elif form == "env":
        token = _first(r"^[ \t]*(?:export[ \t]+)?SLURM_JWT=[\"']?([^\"'\s]*)[\"']?[ \t]*$", text, "line SLURM_JWT=")
    elif form == "header":
        token = _first(r"^X-SLURM-USER-TOKEN:[ \t]*(\S*)[ \t]*$", text, "line X-SLURM-USER-TOKEN:")
    elif form == "json":
        token = _json_token(text)
    elif form in _DIRECTIVES:
        begin, end = _DIRECTIVES[form]
        token = _first(
            rf"^[ \t]*{begin}[ \t]+X-SLURM-USER-TOKEN[ \t]+\"?([^\"\s;]*)\"?{end}[ \t]*$",
            text,
            "line that sets X-SLURM-USER-TOKEN",
        )
    else:
        raise TokenError(f"{form!r} is not a format of token files. There are {', '.join(FORMATS)}.")
    split(token)
    return token


def _first(pattern: str, text: str, what: str) -> str:
    match = re.search(pattern, text.replace("\r\n", "\n"), re.MULTILINE | re.IGNORECASE)
    if not match:
        raise TokenError(f"The file has no {what}.")
    return match[1]


def _json_token(text: str) -> str:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise TokenError("The file is not JSON.") from None
    token = content.get("token") if isinstance(content, dict) else None
    if not isinstance(token, str):
        raise TokenError("The file is JSON, but has no text as its member 'token'.")
    return token

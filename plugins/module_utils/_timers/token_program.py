# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renews the token in one file, if necessary: python3 -I -S DIRECTORY SETTINGS, as slurm-jwt-renew@.service runs it.

It runs as root on a host that has Slurm's clients and no signing key, and asks slurmctld. Each run sends slurmctld a
request with the token in the file. So a token of an old key is renewed, whatever its age. A new token is tried in
the same way before it is written, and again afterwards, because the key may have been rotated in between.

Exit code: 0 if the file holds a good token, or a rotation of the key is about to write one; 1 otherwise, with the
reason on standard error. A token goes into the environment of Slurm's client and into the file, and nowhere else.
"""

from __future__ import annotations

import time

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import remove_stale, replace
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.ownership import (
    Ownership,
    OwnershipError,
    declared,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import (
    SecretFile,
    read_if_there,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client import (
    TIMED_OUT,
    Client,
    ClientError,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client_reply import (
    ACCEPTED,
    CLIENTS,
    REFUSED,
    UNASKED,
    UNREACHABLE,
    Reply,
    reply_of_client,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.runtime import (
    ERROR,
    INFO,
    WARNING,
    last_record,
    log,
    report,
    run,
    start,
    without_tokens,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.token_refresh import (
    FAILED,
    KEPT,
    LEFT_ALONE,
    RENEWED,
    TokenInFile,
    TokenTimerRecord,
    TokenTimerSettings,
    clock_in,
    clock_warning,
    latest_clock,
    metrics,
    offset_of,
    read_record,
    read_settings,
    rotation_is_running,
    token_in_file,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError, split
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.file_format import render
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.scontrol import ask_slurmctld

CLIENT_TIMEOUT = 10  # seconds for one question to slurmctld
SERVICE_TIMEOUT = 120  # seconds for a service to restart
ATTEMPTS = 3  # new tokens in one run, if the key changes meanwhile
PAUSE = 1.0  # seconds between two of these


class TokenRefreshFailed(Exception):
    """The attempt failed. The text says why, and what to do."""


class TokenRefresh:
    """One attempt."""

    def __init__(self, settings: TokenTimerSettings, record: TokenTimerRecord | None) -> None:
        self.settings = settings
        self.record = record
        self.client = Client(settings.bin_dir, settings.conf_path, CLIENT_TIMEOUT)
        self.offset: int | None = None
        self.notes: list[str] = []
        self.untold = record is not None and record.untold
        self.renewed_at = None if record is None else record.renewed_at

    def run(self) -> str:
        """Renew the token if necessary. Returns the result."""
        file = read_if_there(self.settings.dest)
        live = self.token_in(file)
        if self.rotation_is_running(live):
            return LEFT_ALONE
        reply = None if live.token is None else self.reply_to(live.token)
        if self.offset is not None:
            live = self.token_in(file)
        reason = live.reason or self.refusal(reply)
        if reason is None:
            if reply is not None and reply.kind != ACCEPTED:
                self.note(f"Whether slurmctld accepts it is not known: {reply.detail}.")
            self.reload_services()
            return KEPT
        doubtful = live.reason is None
        if not self.renew(file, live, doubtful):
            return LEFT_ALONE
        self.notes.insert(0, f"It was renewed (reason: {reason}).")
        self.reload_services()
        return RENEWED

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def token_in(self, file: SecretFile | None) -> TokenInFile:
        """The token in the file, by slurmctld's clock as far as that is known."""
        data = None if file is None else file.data
        now = time.time()
        if self.offset is not None:
            return token_in_file(data, self.settings, now + self.offset)
        token = token_in_file(data, self.settings, now).token
        return token_in_file(data, self.settings, latest_clock(now, token, self.record))

    def rotation_is_running(self, live: TokenInFile) -> bool:
        """Whether a rotation of the key is running, which writes a token itself."""
        files = [file for file in map(read_if_there, self.settings.beside) if file is not None]
        running = rotation_is_running([time.time() - file.mtime for file in files], live, self.settings)
        if running:
            self.note("A rotation of the key is under way and writes a new token, so this token was not changed.")
        elif files:
            self.note("A rotation of the key left files beside it and seems to have died. Run hpc.slurm_jwt.rotate.")
        return running

    @staticmethod
    def refusal(reply: Reply | None) -> str | None:
        """The reason to renew a token that slurmctld refuses; None if it does not."""
        # Up to 24.05, slurmctld refuses by closing the connection. That can mean other things; a new token shows which.
        unknown = (ACCEPTED, UNASKED, UNREACHABLE)
        return None if reply is None or reply.kind in unknown else "key"

    def renew(self, file: SecretFile | None, live: TokenInFile, doubtful: bool) -> bool:
        """Write a new token into the file. False if a rotation has begun, which does so itself.

        DOUBTFUL: slurmctld's reply is the only reason to renew the token.
        """
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(PAUSE)
            token = self.mint()
            reply = self.reply_to(token)
            if reply.kind == UNASKED:
                self.note(f"It could not be tried with slurmctld: {reply.detail}.")
            elif reply.kind != ACCEPTED:
                # Without a good token in the file, one that nobody has refused is better than none.
                if doubtful or live.left or reply.kind == REFUSED:
                    continue
                self.note(f"Whether slurmctld accepts it is not known: {reply.detail}.")
            if self.rotation_is_running(live):
                return False
            self.write(token, file)
            if reply.kind != ACCEPTED or self.refusal(self.reply_to(token)) is None:
                return True
            file = read_if_there(self.settings.dest)
        raise TokenRefreshFailed(
            f"slurmctld made a token and does not accept it: {reply.detail}. Check its log and its key."
        )

    def mint(self) -> str:
        """A new token, made by slurmctld."""
        before = time.time()
        token = ask_slurmctld(run_client, self.client, self.settings.user, self.settings.lifespan)
        made = split(token).claims.get("iat")
        if isinstance(made, int):
            self.offset = offset_of(made, before, time.time())
        return token

    def reply_to(self, token: str) -> Reply:
        """slurmctld's reply to a request with this token."""
        before = time.time()
        argv = self.client.argv(*CLIENTS["slurmctld"])
        code, out, err = run_client(argv, self.client.environment(token))
        clock = clock_in(out) if code == 0 else None
        if clock is not None:
            self.offset = offset_of(clock, before, time.time())
        reply = reply_of_client(code, out, err, TIMED_OUT, CLIENT_TIMEOUT)
        return reply._replace(detail=without_tokens(reply.detail))

    def write(self, token: str, file: SecretFile | None) -> None:
        """Write the token into the file. Before that, record that services have to read it."""
        settings = self.settings
        data, attributes = render(settings.format, token, settings.user), ownership_of(settings)
        before, self.untold = self.untold, bool(settings.restarts or settings.reloads)
        if self.untold:
            expires = None if file is None else token_in_file(file.data, settings, time.time()).expires
            self.report(KEPT, "", expires)
        try:
            replace(settings.dest, data, *attributes)
        except SecretFileError:
            self.untold = before
            raise
        self.renewed_at = int(time.time())
        remove_stale(settings.dest)

    def reload_services(self) -> None:
        """Have the running services read a new token."""
        if not self.untold:
            return
        for verb, units in (("try-restart", self.settings.restarts), ("try-reload-or-restart", self.settings.reloads)):
            for unit in units:
                code, dummy_out, err = run([self.settings.systemctl, verb, "--", unit], {}, SERVICE_TIMEOUT)
                if code != 0:
                    raise TokenRefreshFailed(
                        f"The token is new, but 'systemctl {verb} {unit}' failed with exit code {code}: "
                        f"{' '.join(err.split()) or 'no message'}. It is tried again; see systemctl status {unit}."
                    )
        self.untold = False

    def report(self, result: str, text: str, expires: int | None) -> str:
        """Write the record and the metrics. Returns what failed."""
        record = TokenTimerRecord(int(time.time()), result, text, expires, self.renewed_at, self.offset, self.untold)
        settings = self.settings
        return report(settings.record, record._asdict(), settings.metrics, metrics(settings, record))


def run_client(argv: list[str], more: dict[str, str]) -> tuple[int, str, str]:
    return run(argv, more, CLIENT_TIMEOUT + 5)


def ownership_of(settings: TokenTimerSettings) -> Ownership:
    """Ownership of the token file, as the module slurm_jwt_token gives it."""
    options = {"owner": settings.owner, "group": settings.group, "mode": settings.mode}
    return declared(options, False).ownership(None)


def attempt(settings: TokenTimerSettings) -> int:
    """Renew one token if necessary, and report. Returns the exit code."""
    refresh = TokenRefresh(settings, last_record(settings.record, read_record))
    level = INFO
    try:
        result = refresh.run()
    except (TokenRefreshFailed, TokenError, OwnershipError, SecretFileError, ClientError) as exc:
        result, level = FAILED, ERROR
        refresh.notes.insert(0, str(exc))
    try:
        live = refresh.token_in(read_if_there(settings.dest))
    except SecretFileError:
        live = TokenInFile("unreadable", None, None, 0)
    warning = clock_warning(refresh.offset)
    if warning:
        refresh.note(warning)
    if refresh.notes and result == KEPT or warning:
        level = min(level, WARNING)
    state = f"good for {live.left} s" if live.left else "not good"
    text = f"{settings.name}: the token of {settings.user} in {settings.dest} is {state}. {' '.join(refresh.notes)}"
    if result == FAILED:
        text += " The timer tries again."
    failure = refresh.report(result, without_tokens(text.strip()), live.expires)
    log(level, text.strip())
    if failure:
        log(WARNING, f"{settings.name}: {failure}")
    return 1 if result == FAILED else 0


def main() -> int:
    usage = "Usage: python3 -I -S DIRECTORY SETTINGS, as slurm-jwt-renew@.service runs it."
    return start(usage, read_settings, attempt)

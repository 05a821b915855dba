# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renews the token in one file, if it has to be: python3 -I -S DIRECTORY SETTINGS, as slurm-jwt-renew@.service runs it.

It runs as root on a host with Slurm's clients and without the signing key, and asks slurmctld. Each run shows the token
in the file to slurmctld, so that one which the key in force did not sign is renewed whatever its age. A new token is
shown to slurmctld before it is written, and once more after that, because the key may have been rotated meanwhile.

Exit code: 0 if the file holds a good token, or a rotation of the key is about to write one; 1 otherwise, and the reason
on standard error. A token goes to Slurm's client in its environment, and nowhere else but into the file.
"""

from __future__ import annotations

import time
from typing import Callable

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import remove_stale, replace
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.ownership import Ownership, gid_of, ownership, uid_of
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import (
    SecretFile,
    parse_mode,
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
    leave,
    run,
    say,
    start,
    without_tokens,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.token_renewal import (
    FAILED,
    KEPT,
    LEFT_ALONE,
    RENEWED,
    Live,
    RenewalRecord,
    RenewalSettings,
    clock_in,
    judge,
    metrics,
    offset_of,
    pessimistic,
    read_record,
    read_settings,
    rotation_under_way,
    words_on_clocks,
    write_record,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError, split
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.file_format import render
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.scontrol import ask_slurmctld

CLIENT_TIMEOUT = 10  # seconds for one question to slurmctld
TELL_TIMEOUT = 120  # seconds for a service to restart
MINTINGS = 3  # new tokens at the most, when the key changes under them
PAUSE = 1.0  # seconds between two of these


class RenewalFailed(Exception):
    """The attempt failed. The text says why, and what to do."""


class Renewal:
    """One attempt."""

    def __init__(self, settings: RenewalSettings, record: RenewalRecord | None) -> None:
        self.settings = settings
        self.record = record
        self.client = Client(settings.bin_dir, settings.conf_path, CLIENT_TIMEOUT)
        self.offset: int | None = None
        self.notes: list[str] = []
        self.untold = record is not None and record.untold
        self.renewed_at = None if record is None else record.renewed_at

    def run(self) -> str:
        """Do what has to be done; how it ended."""
        file = read_if_there(self.settings.dest)
        live = self.live(file)
        if self.rotation(live):
            return LEFT_ALONE
        reply = None if live.token is None else self.show(live.token)
        if self.offset is not None:
            live = self.live(file)
        reason = live.reason or self.refused(reply)
        if reason is None:
            if reply is not None and reply.kind != ACCEPTED:
                self.remark(f"Whether slurmctld accepts it is not known: {reply.detail}.")
            self.tell()
            return KEPT
        doubtful = live.reason is None
        if not self.renew(file, live, doubtful):
            return LEFT_ALONE
        self.notes.insert(0, f"It was renewed (reason: {reason}).")
        self.tell()
        return RENEWED

    def remark(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def live(self, file: SecretFile | None) -> Live:
        """The token in the file, by slurmctld's clock as far as that is known."""
        data = None if file is None else file.data
        now = time.time()
        if self.offset is not None:
            return judge(data, self.settings, now + self.offset)
        return judge(data, self.settings, pessimistic(now, judge(data, self.settings, now).token, self.record))

    def rotation(self, live: Live) -> bool:
        """Whether a rotation of the key is under way, which has to be left alone."""
        there = [file for file in map(read_if_there, self.settings.beside) if file is not None]
        under_way = rotation_under_way([time.time() - file.mtime for file in there], live, self.settings)
        if under_way:
            self.remark("A rotation of the key is under way and brings a new token, so it was left alone.")
        elif there:
            self.remark(
                "A rotation of the key has left files beside it and seems to have died. Run hpc.slurm_jwt.rotate again."
            )
        return under_way

    @staticmethod
    def refused(reply: Reply | None) -> str | None:
        """Why a token has to be made anew that is good but for what slurmctld says of it."""
        # Up to 24.05 slurmctld refuses by hanging up, which can mean other things: what it does with a new token tells.
        unknown = (ACCEPTED, UNASKED, UNREACHABLE)
        return None if reply is None or reply.kind in unknown else "key"

    def renew(self, file: SecretFile | None, live: Live, doubtful: bool) -> bool:
        """Put a new token into the file. False if a rotation came between, and does that itself."""
        for attempt in range(MINTINGS):
            if attempt:
                time.sleep(PAUSE)
            token = self.mint()
            reply = self.show(token)
            if reply.kind == UNASKED:
                self.remark(f"It could not be shown to slurmctld: {reply.detail}.")
            elif reply.kind != ACCEPTED:
                # Without a good token in the file one that nobody has refused is better than none.
                if doubtful or live.left or reply.kind == REFUSED:
                    continue
                self.remark(f"Whether slurmctld accepts it is not known: {reply.detail}.")
            if self.rotation(live):
                return False
            self.write(token, file)
            if reply.kind != ACCEPTED or self.refused(self.show(token)) is None:
                return True
            file = read_if_there(self.settings.dest)
        raise RenewalFailed(
            f"slurmctld made a token and does not accept it: {reply.detail}. Look at its log and its key."
        )

    def mint(self) -> str:
        """A new token, made by slurmctld."""
        before = time.time()
        token = ask_slurmctld(run_client, self.client, self.settings.user, self.settings.lifespan)
        made = split(token).claims.get("iat")
        if isinstance(made, int):
            self.offset = offset_of(made, before, time.time())
        return token

    def show(self, token: str) -> Reply:
        """What slurmctld does with the token."""
        before = time.time()
        argv = self.client.argv(*CLIENTS["slurmctld"])
        code, out, err = run_client(argv, self.client.environment(token))
        theirs = clock_in(out) if code == 0 else None
        if theirs is not None:
            self.offset = offset_of(theirs, before, time.time())
        reply = reply_of_client(code, out, err, TIMED_OUT, CLIENT_TIMEOUT)
        return reply._replace(detail=without_tokens(reply.detail))

    def write(self, token: str, file: SecretFile | None) -> None:
        """Put the token into the file. What is noted first is that services have yet to be told."""
        settings = self.settings
        data, attributes = render(settings.format, token, settings.user), ownership_of(settings)
        owed, self.untold = self.untold, bool(settings.restarts or settings.reloads)
        if self.untold:
            self.note(KEPT, "", None if file is None else judge(file.data, settings, time.time()).expires)
        try:
            replace(settings.dest, data, *attributes)
        except SecretFileError:
            self.untold = owed
            raise
        self.renewed_at = int(time.time())
        remove_stale(settings.dest)

    def tell(self) -> None:
        """Have the services read a new token, those that run."""
        if not self.untold:
            return
        for verb, units in (("try-restart", self.settings.restarts), ("try-reload-or-restart", self.settings.reloads)):
            for unit in units:
                code, dummy_out, err = run([self.settings.systemctl, verb, "--", unit], {}, TELL_TIMEOUT)
                if code != 0:
                    raise RenewalFailed(
                        f"The token is new, but 'systemctl {verb} {unit}' failed with exit code {code}: "
                        f"{' '.join(err.split()) or 'no word'}. It is tried again; see systemctl status {unit}."
                    )
        self.untold = False

    def note(self, result: str, said: str, expires: int | None) -> str:
        """Keep what this attempt did, and give it to Prometheus; what went wrong with that."""
        record = RenewalRecord(int(time.time()), result, said, expires, self.renewed_at, self.offset, self.untold)
        return leave((
            (self.settings.record, write_record(record), 0o600),
            (self.settings.metrics, metrics(self.settings, record), 0o644),
        ))  # fmt: skip


def run_client(argv: list[str], more: dict[str, str]) -> tuple[int, str, str]:
    return run(argv, more, CLIENT_TIMEOUT + 5)


def ownership_of(settings: RenewalSettings) -> Ownership:
    """What the file is to have, as with the module slurm_jwt_token."""
    uid = number_of(settings.owner, "user", uid_of)
    gid = number_of(settings.group, "group", gid_of)
    return ownership(uid, gid, parse_mode(settings.mode))


def number_of(name: str | None, kind: str, find: Callable[[str], int | None]) -> int | None:
    """The uid or gid behind a name or a number; None if none is declared."""
    number = None if name is None else find(name)
    if name is not None and number is None:
        raise RenewalFailed(f"There is no {kind} {name!r} on this host, who is to own the file. Create it.")
    return number


def attempt(settings: RenewalSettings) -> int:
    """Renew one token, if it has to be, and leave word of it."""
    renewal = Renewal(settings, last_record(settings.record, read_record))
    level = INFO
    try:
        result = renewal.run()
    except (RenewalFailed, TokenError, SecretFileError, ClientError) as exc:
        result, level = FAILED, ERROR
        renewal.notes.insert(0, str(exc))
    try:
        live = renewal.live(read_if_there(settings.dest))
    except SecretFileError:
        live = Live("unreadable", None, None, 0)
    clocks = words_on_clocks(renewal.offset)
    if clocks:
        renewal.remark(clocks)
    if renewal.notes and result == KEPT or clocks:
        level = min(level, WARNING)
    state = f"good for {live.left} s" if live.left else "not good"
    said = f"{settings.name}: the token of {settings.user} in {settings.dest} is {state}. {' '.join(renewal.notes)}"
    if result == FAILED:
        said += " The timer tries again."
    wrong = renewal.note(result, without_tokens(said.strip()), live.expires)
    say(level, said.strip())
    if wrong:
        say(WARNING, f"{settings.name}: {wrong}")
    return 1 if result == FAILED else 0


def main() -> int:
    usage = "Usage: python3 -I -S DIRECTORY SETTINGS, as slurm-jwt-renew@.service runs it."
    return start(usage, read_settings, attempt)

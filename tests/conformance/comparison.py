# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares how _conf reads and edits configuration files with how Slurm's own daemons read them."""

from __future__ import annotations

import difflib
import re
from typing import Callable, NamedTuple

from generator import ETC, Case, Edit
from settings_generator import JWKS

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import Conf, ConfError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.editor import Editor

Answer = tuple[str, str]
"""What ended the daemon: ("key", path), ("auth", plugin), ("next", plugin), ("no key", ""), ("parse", "") or other."""

Oracle = Callable[[str, dict[str, bytes]], Answer]

NEXT = {"slurmctld": ("PreemptType", "preempt"), "slurmdbd": ("StorageType", "accounting_storage")}
SOUND_PLUGINS = ("auth/none", "auth/munge")
FATAL_WITHOUT_A_PROBLEM_OF_SYNTAX = ("include_unended",)


class Disagreement(Exception):
    """The daemon and _conf disagree."""


class Outcome(NamedTuple):
    answers: int
    changed: bool
    refused: bool
    answer: str


# What ended a daemon

_PREFIX = re.compile(r"(?:slurmctld|slurmdbd): |\[[0-9T:.-]+\] ")
_SIGNS = (
    (
        "parse",
        re.compile(r"fatal: (?:Unable to process configuration file|Could not open/read/parse slurmdbd\.conf)()"),
    ),
    ("key", re.compile(r"fatal: auth/jwt: cannot stat '(.*)': [^:']*")),
    ("key", re.compile(r"(?:fatal|error): auth/jwt: Could not load key file \((.*)\)")),
    ("no key", re.compile(r"fatal: No jwt_key set()\..*")),
    ("auth", re.compile(r"error: cannot create auth context for (.*)")),
    ("auth", re.compile(r"fatal: plugin_load_and_link: Plugin loading failed due to missing symbols()\..*")),
    ("next", re.compile(r"error: cannot create (?:preempt|accounting_storage) context for (.*)")),
)


def answer(code: int | None, log: str) -> Answer:
    """What ended the daemon, from its exit code and its log (read as Latin-1)."""
    if code is None:
        return "waits", "\n".join(log.split("\n")[-6:])
    lines = [_PREFIX.sub("", line, count=1) for line in log.split("\n")]
    for kind, sign in _SIGNS:
        for line in lines:
            match = sign.fullmatch(line) or (sign.match(line) if kind == "parse" else None)
            if match:
                return kind, match.group(1)
    return "other", "\n".join(lines[-6:])


# What _conf expects of a release


def expected(conf: Conf, daemon: str, release: tuple[int, int]) -> Answer:
    """The answer, if _conf reads the files as the daemon of this release does."""
    faults = [
        fault.code for fault in conf.parsed.faults if fault.code not in ("nul", "include_two", "include_unended")
    ]
    if faults or any("text after the value" in problem.found for problem in conf.problems()):
        return "parse", ""
    if any(conf.canonical(key.decode()) is None for key in conf.parsed.entries):
        return "parse", ""
    for name in [conf.value("AuthType", "auth/munge") or "", *conf.members("AuthAltTypes")]:
        if release >= (23, 11) and not name.startswith("auth/"):
            name = "auth/" + name
        if name == "auth/jwt":
            return key_read(conf, daemon, release)
        if name not in SOUND_PLUGINS:
            return "auth", _latin(name)
    return "next", _latin(conf.value(NEXT[daemon][0]) or "")


def key_read(conf: Conf, daemon: str, release: tuple[int, int]) -> Answer:
    """The file that the release loads first and does not find, from the text of AuthAltParameters."""
    text = conf.value("AuthAltParameters") or ""
    jwks = option_read(text, "jwks", release)
    if jwks is not None and jwks != JWKS:
        return "key", _latin(jwks)
    key = option_read(text, "jwt_key", release)
    if key is None and jwks:
        return go_on_after_jwt(conf, daemon, release)
    if key is None and daemon == "slurmdbd":
        return ("auth", "auth/jwt") if release < (21, 8) else ("no key", "")
    if key is None:
        return "key", _latin(conf.value("StateSaveLocation") or "") + "/jwt_hs256.key"
    return "key", _latin(key)


def go_on_after_jwt(conf: Conf, daemon: str, release: tuple[int, int]) -> Answer:
    """With a sound key set alone the plugin loads, and the next one ends the daemon."""
    members = conf.members("AuthAltTypes")
    for name in members:
        if release >= (23, 11) and not name.startswith("auth/"):
            name = "auth/" + name
        if name not in (*SOUND_PLUGINS, "auth/jwt"):
            return "auth", _latin(name)
    return "next", _latin(conf.value(NEXT[daemon][0]) or "")


def option_read(text: str, name: str, release: tuple[int, int]) -> str | None:
    """How each release searches AuthAltParameters."""
    if release < (21, 8) and name == "jwks":
        return None
    if release < (23, 11):
        at = (text.lower() if release < (21, 8) else text).find(name + "=")
        return None if at < 0 else text[at + len(name) + 1 :].partition(",")[0]
    for member in filter(None, text.split(",")):
        if member.startswith(name + "="):
            return member[len(name) + 1 :] or None
    return None


def _latin(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


# One case


class Comparison:
    """Checks cases with the daemons of one release."""

    def __init__(self, release: tuple[int, int], oracle: Oracle) -> None:
        self.release = release
        self._oracle = oracle
        self.asked = 0

    def check(self, case: Case) -> list[Outcome]:
        """Compare before any edit, and after each way of editing. Disagreement if anything differs."""
        before = self._compare(case, case.files)
        return [self._edit(case, edits, before) for edits in case.edits]

    def _ask(self, case: Case, files: dict[str, bytes]) -> Answer:
        self.asked += 1
        return self._oracle(case.daemon, files)

    def _compare(self, case: Case, files: dict[str, bytes]) -> Answer:
        conf = load(case, files)
        actual = self._ask(case, files)
        codes = {fault.code for fault in conf.parsed.faults}
        claim = expected(conf, case.daemon, self.release)
        if "include_unended" in codes and actual[0] in ("parse", "other"):
            # What happens to be in memory behind the line decides whether the daemon goes on, stops or crashes. It is
            # different each time, and _conf reports it.
            return "parse", ""
        if "include_two" in codes and self.release < (23, 2):
            return actual  # _conf reports that older releases read the other file
        if actual[0] == "waits" and codes & {"include_missing", "include_glob"}:
            return "parse", ""
        if actual == ("auth", "") and claim == ("auth", "rest_auth/jwt"):
            return claim  # 22.05 and 24.11 find that plugin's file, and die of what is in it
        if actual != claim:
            raise Disagreement(f"the daemon ends with {actual}, _conf expects {claim}")
        self._options(conf)
        return actual

    def _options(self, conf: Conf) -> None:
        """option() reads as 23.11 and later do, and where _conf sees no error, every release has to read the same."""
        has_error = any(key == "authaltparameters" and problem.severity == "error" for key, problem in conf.findings())
        if has_error and self.release < (23, 11):
            return
        text = conf.value("AuthAltParameters") or ""
        for name in ("jwt_key", "jwks"):
            mine, theirs = conf.option("AuthAltParameters", name), option_read(text, name, self.release)
            if mine != theirs and not (name == "jwks" and self.release < (21, 8)):
                raise Disagreement(f"{name}: option() says {mine!r} without an error, this release reads {theirs!r}")

    def _edit(self, case: Case, edits: list[Edit], before: Answer) -> Outcome:
        editor = Editor(load(case, case.files))
        asked = self.asked
        try:
            changed = [_apply(editor, edit) for edit in edits]
        except ConfError as exc:
            self._must_refuse(case, edits, before, exc)
            return Outcome(0, False, True, before[0])
        files = {**case.files, **{path[len(ETC) + 1 :]: data for path, data in editor.changed().items()}}
        if any(changed) and files == case.files and len(edits) == 1:
            raise Disagreement(f"{edits} claims a change and makes none")
        if not any(changed) and files != case.files:
            raise Disagreement(f"{edits} makes a change and does not say so")
        after = before
        if files != case.files:
            after = self._compare(case, files)
            for name, data in files.items():
                check_untouched(case.files[name], data, {str(edit.arguments[0]).lower() for edit in edits}, name)
        self._claims(case, files, edits, after)
        again = Editor(load(case, files))
        if any(_apply(again, edit) for edit in edits[-1:]):
            raise Disagreement(f"{edits[-1:]} changes the files a second time")
        self._reverse(case, edits, editor)
        return Outcome(self.asked - asked, files != case.files, False, after[0])

    def _must_refuse(self, case: Case, edits: list[Edit], before: Answer, exc: ConfError) -> None:
        """A refusal is right where the daemon stops at the files anyway, or quotes and blanks would have to meet."""
        if before[0] == "parse" and "more than one name=value" in str(exc):
            return
        if "it contains a blank, so it needs quotes, and a quote" in str(exc):
            return
        raise Disagreement(f"{edits} was refused without need: {exc}")

    def _claims(self, case: Case, files: dict[str, bytes], edits: list[Edit], after: Answer) -> None:
        """Check the intended effect of the edits without asking _conf."""
        two = any(fault.code == "include_two" for fault in load(case, files).parsed.faults)
        if after[0] in ("parse", "waits", "other") or (two and self.release < (23, 2)):
            return
        for edit in edits:
            key, *rest = edit.arguments
            if edit == Edit("set", ("AuthType", "auth/none")):
                # The plugins are sure to be these, the key set is taken out: the daemon must name the new key.
                intended = ("key", _latin(next(e for e in edits if e.method == "edit_options").arguments[1]["jwt_key"]))  # type: ignore[index]
                if after != intended:
                    raise Disagreement(f"{edits} should lead to {intended}, the daemon ends with {after}")
            if edit.method == "edit_list" and rest[1] and after[0] in ("key", "no key"):
                raise Disagreement(f"{edits}: the daemon still loads auth/jwt")
            if (
                edit.method == "edit_list"
                and rest[0]
                and after[0] == "next"
                and JWKS.encode() not in b"".join(files.values())
            ):
                raise Disagreement(f"{edits}: the daemon does not load auth/jwt")
            if edit.method == "edit_options" and after[0] == "key" and rest[0].get("jwt_key"):  # type: ignore[attr-defined]
                path = _latin(rest[0]["jwt_key"])  # type: ignore[index]
                if after[1] != path and not self._other_key(case, files, after[1]):
                    raise Disagreement(f"{edits}: the daemon's key is {after[1]}")
            if edit.method == "set" and key == NEXT[case.daemon][0] and after[0] == "next" and after[1] != rest[0]:
                raise Disagreement(f"{edits}: the daemon reads {after}")

    def _other_key(self, case: Case, files: dict[str, bytes], path: str) -> bool:
        """Whether a key set comes first."""
        jwks = option_read(load(case, files).value("AuthAltParameters") or "", "jwks", self.release)
        return jwks is not None and _latin(jwks) == path

    def _reverse(self, case: Case, edits: list[Edit], editor: Editor) -> None:
        """Settings that were not there before are gone again, byte for byte."""
        first = load(case, case.files)
        keys = {str(edit.arguments[0]) for edit in edits}
        if any(first.effective(key) for key in keys):
            return
        for edit in reversed(edits):
            key, *rest = edit.arguments
            if edit.method == "edit_list":
                editor.edit_list(str(key), absent=rest[0])  # type: ignore[arg-type]
            elif edit.method == "edit_options":
                editor.edit_options(str(key), absent=list(rest[0]))  # type: ignore[call-overload]
            elif edit.method == "set":
                editor.remove(str(key))
        unended = {fault.path for fault in first.parsed.faults if fault.code == "include_unended"}
        left = {path for path in editor.changed() if not (path in unended and _only_ended(editor, path))}
        if left:
            raise Disagreement(f"{edits} and back leaves {left} changed")


def _only_ended(editor: Editor, path: str) -> bool:
    return editor.changed()[path].rstrip(b"\r\n") == editor.original.data[path].rstrip(b"\r\n")


def load(case: Case, files: dict[str, bytes]) -> Conf:
    """The case's files as _conf sees them."""

    def read(path: str) -> bytes:
        name = re.sub(r"^(\./)+", "", path[len(ETC) + 1 :])
        if path.startswith(ETC + "/") and name in files:
            return files[name]
        if path.startswith(ETC + "/") and any(other.startswith(name + "/") for other in files):
            return b""
        raise FileNotFoundError(2, "No such file or directory", path)

    return Conf.load(f"{ETC}/{case.top}", read)


def _apply(editor: Editor, edit: Edit) -> bool:
    changed: bool = getattr(editor, edit.method)(*edit.arguments)
    return changed


def check_untouched(old: bytes, new: bytes, keys: set[str], name: str) -> None:
    """No line may differ but those of the keys. They are found without _conf: by searching for the key in a line.

    Lines that a backslash joins count as one. The line feed of the last line may come or go.
    """
    before, after = ([group for group in _groups(data) if not _concerns(group, keys)] for data in (old, new))
    if before and after:
        before[-1], after[-1] = (re.sub(rb"\r?\n\Z", b"", last) for last in (before[-1], after[-1]))
    if before != after:
        line = next(
            (
                line
                for line in difflib.ndiff(*([repr(g) for g in lines] for lines in (before, after)))
                if line[:1] in "+-"
            ),
            "",
        )
        raise Disagreement(f"{name}: a line was changed that should not be: {line}")


def _groups(data: bytes) -> list[bytes]:
    groups: list[bytes] = []
    joined = False
    for line in re.findall(rb"[^\n]*\n|[^\n]+", data):
        if joined:
            groups[-1] += line
        else:
            groups.append(line)
        bare = re.match(rb"(?:\\[^\0]|[^\\#\0])*\\?", line, re.DOTALL).group()  # type: ignore[union-attr]
        slashes = re.search(rb"(\\*)[ \t\r\n\f\v]*\Z", bare.rstrip(b" \t\r\n\f\v"))
        joined = slashes is not None and len(slashes.group(1)) % 2 == 1
    return groups


def _concerns(group: bytes, keys: set[str]) -> bool:
    plain = re.sub(rb"\\[ \t\r\f\v]*(?:#[^\n]*|\0[^\n]*)?\n|\\", b"", group).lower()
    return any(key.encode() in plain for key in keys)

# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states present and staged: each token is there and good. Private to this collection."""

from __future__ import annotations

import time
from typing import Any, Iterator, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import NewFile, remove, replace_all
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.ownership import Ownership, ownership
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import MODES, SecretFile, set_attributes
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import RunCommand, Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.slots import PREVIOUS, beside
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens import diff
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError, signed_by, split
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.current import (
    CurrentToken,
    current_token,
    why_stale,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.file_format import extract, render
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.issue import claims_for
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.new_token import NO_KEY, new_token
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.request import TokenRequest, requests
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.result import describe, new_result, task_result
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.rotation_files import remove_stale_in_folders
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.signing_key import read_signing_key


class PresentTokens:
    """Makes sure that each token is there and good; with state=staged, in DEST.next."""

    def __init__(self, task: Task, run: RunCommand) -> None:
        self.task = task
        self.run_command = run
        self.now = time.time()
        self.requests = requests(task)
        self._refuse_missing_options()
        paths = dict.fromkeys(request.key_path for request in self.requests)
        self.keys = {path: read_signing_key(task, path) for path in paths}
        for request in self.requests:
            key = self.keys[request.key_path]
            if key is not None and request.given and not signed_by(request.given, key.data):
                raise TaskError(f"{request.name}: token: It was not signed by the key in {request.key_path}.")

    def run(self) -> dict[str, Any]:
        current = [
            current_token(request, self.task, self.keys[request.key_path], self.now) for request in self.requests
        ]
        tokens = [self._token(*pair) for pair in zip(self.requests, current)]
        results = [self._result(*each) for each in zip(self.requests, current, tokens)]
        by_path = {
            request.path: (request, there, result) for request, there, result in zip(self.requests, current, results)
        }
        diffs = []
        done: list[dict[str, Any]] = []
        try:
            for path in self._write(current, tokens):
                request, there, result = by_path[path]
                result.update(changed=True, reason=there.reason or "attributes")
                done.append(result)
                if self.task.diff:
                    diffs.append(self._diff(request, there, result))
        except SecretFileError as exc:
            name = by_path[exc.path][0].name if exc.path in by_path else "tokens"
            raise TaskError(f"{name}: {exc}", {"tokens": done, "changed": bool(done)}) from exc
        if not self.task.check_mode:
            changed = [path for path, (_request, _there, result) in by_path.items() if result["changed"]]
            remove_stale_in_folders([path for path in changed if path is not None])
        return task_result(results, diffs)

    def _refuse_missing_options(self) -> None:
        params = self.task.params
        keyless = any(request.given is None and request.key_path is None for request in self.requests)
        if keyless and params["method"] == "key":
            raise TaskError(NO_KEY)
        if all(request.dest is not None for request in self.requests):
            return
        if params["state"] == "staged":
            raise TaskError("dest is needed with state=staged: the next token is written beside that file.")
        if not params["return_token"]:
            raise TaskError("Without dest a token is only returned. Give dest, or set return_token=true.")

    # -- tokens --------------------------------------------------------------------------------------------------------

    def _token(self, request: TokenRequest, current: CurrentToken) -> str | None:
        """The desired token; None if it is not known because this is check mode."""
        if request.given is not None:
            return request.given or None
        if current.reason is None:
            file = current.file or current.model
            return request.current if file is None else extract(request.form, file.data)
        if self.task.check_mode:
            return self._live_token(request, current)
        if self.task.params["method"] == "given":
            raise TaskError(
                f"{request.name}: This token has to be replaced (reason: {current.reason}), and method=given makes "
                "none. Give a new one in token."
            )
        try:
            return new_token(request, self.task, self.run_command, self.keys[request.key_path], self.now)
        except TokenError as exc:
            raise TaskError(f"{request.name}: {exc}") from exc

    def _live_token(self, request: TokenRequest, current: CurrentToken) -> str | None:
        """The live token, if none is staged: the host with the key may find that it need not be staged again."""
        live, key = current.model, self.keys[request.key_path]
        if key is not None or request.path == request.dest or live is None or live is current.file:
            return None
        stale = why_stale(request, request.form, live.data, key, self.now)
        return None if stale else extract(request.form, live.data)

    # -- files ---------------------------------------------------------------------------------------------------------

    def _write(self, current: Sequence[CurrentToken], tokens: Sequence[str | None]) -> Iterator[str]:
        """Bring the files up to date. Yields the path of each changed file, once it is changed."""
        files = []
        for request, there, token in zip(self.requests, current, tokens):
            if request.path is None:
                continue
            desired, file = self._ownership(request, there), there.file
            drifted = file is not None and not file.has_ownership(*desired)
            if self.task.check_mode:
                if drifted or there.reason is not None:
                    yield request.path
            elif there.reason is not None and token is not None:
                if request.dest is not None and request.path != request.dest:
                    # It is from an earlier rotation. No rollback may return to it.
                    remove(beside(request.dest, PREVIOUS))
                files.append(NewFile(request.path, render(request.form, token, request.user), *desired))
            elif drifted and file is not None and file.uid not in (0, desired.uid):
                # The current owner may have it open, so the desired owner gets another file.
                files.append(NewFile(request.path, file.data, *desired))
            elif drifted and set_attributes(request.path, *desired):
                yield request.path
        for new in replace_all(files):
            yield new.path

    @staticmethod
    def _ownership(request: TokenRequest, current: CurrentToken) -> Ownership:
        """The desired ownership. A staged token has the mode of the live one if the task sets none."""
        model = current.model
        mode = 0o400 if request.mode is None else request.mode
        staged = request.path != request.dest
        if request.mode is None and staged and model is not None and f"{model.mode:04o}" in MODES:
            mode = model.mode
        return ownership(request.uid, request.gid, mode)

    # -- results -------------------------------------------------------------------------------------------------------

    def _result(self, request: TokenRequest, current: CurrentToken, token: str | None) -> dict[str, Any]:
        result = new_result(request.name, request.user, request.dest, request.form if request.dest else None)
        result["reason"] = current.reason
        result["found"] = None if current.file is None else _claims_in(current.file, request.form)
        if token is None:
            describe(result, claims_for(request.user, request.seconds, self.now, extra=request.claims), self.now)
        else:
            describe(result, split(token).claims, self.now)
        key = self.keys[request.key_path]
        if key is not None:
            result.update(signature_checked=True, key_fingerprint=key.fingerprint)
        # A token that is among the options need not be returned, and Ansible would mask it.
        known = request.given is not None or (request.current is not None and current.reason is None)
        if token is not None and not known and self.task.params["return_token"]:
            result["token"] = token
        return result

    def _diff(self, request: TokenRequest, current: CurrentToken, result: dict[str, Any]) -> dict[str, Any]:
        after = dict(
            user=request.user,
            expires=result["expires"],
            key=result["key_fingerprint"] or "not checked",
            format=request.form,
            **diff.attributes(*self._ownership(request, current)),
        )
        path, file = request.path or "", current.file
        if file is None:
            return diff.diff_of(path, {}, after)
        unchanged = result["reason"] in (None, "attributes")
        before = dict(after) if unchanged else diff.content(file.data, request.form, self.keys[request.key_path])
        return diff.diff_of(path, {**before, **diff.attributes_of(file)}, after)


def _claims_in(file: SecretFile, form: str) -> dict[str, Any] | None:
    """The claims of the token in a file; None if it holds none."""
    try:
        return split(extract(form, file.data)).claims
    except TokenError:
        return None

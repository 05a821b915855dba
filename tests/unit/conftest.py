# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for all unit tests. Those that take minutes are marked soak, and run only when asked for with -m soak."""

from __future__ import annotations

import locale
from collections.abc import Iterator

import pytest
from hypothesis import settings

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks import fetch

# Containers start beside these tests: an example that takes a second says nothing about the code.
settings.register_profile("beside_others", deadline=None, print_blob=True)
settings.load_profile("beside_others")


@pytest.fixture(autouse=True)
def any_port_for_servers_of_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests have servers without TLS on this host, at ports that any user could take."""
    monkeypatch.setattr(fetch, "FIRST_UNPRIVILEGED_PORT", 65536)


@pytest.fixture(scope="module", autouse=True)
def no_other_locale_is_left_behind() -> Iterator[None]:
    """Tests that run later in this process would read and write files in its encoding."""
    before = locale.setlocale(locale.LC_ALL)
    yield
    assert locale.setlocale(locale.LC_ALL) == before


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "soak" in config.getoption("-m"):
        return
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.skip(reason="takes minutes; run it with -m soak"))

# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster's JWT on one page that can be mailed: findings, keys and who holds them, settings, tokens over a time line.
Private to this collection.

One file of HTML that loads nothing from anywhere and runs no script. It holds fingerprints, paths and users, and never
a key or a token. Every text that comes from a host is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.inventory_hosts import (
    any_variables,
    cluster_hosts,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports.run_summary import Copy, copies_on, short
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports.token_states import (
    ERROR,
    OK,
    WARNING,
    Finding,
    State,
    findings,
    span,
    states,
    utc,
)

Variables = Mapping[str, Any]

INFO = "info"
_RANKS = (ERROR, WARNING, INFO)
_WORDS = {ERROR: "Errors", WARNING: "Warnings", INFO: "For your information"}

# The time line, in units of its own: names to the left, bars to the right of them.
_WIDTH, _LEFT, _ROW, _TOP = 1000, 260, 26, 30
_LONGEST = 400 * 86400  # seconds that it shows at the most: an endless token would leave no room for the others


class Report(NamedTuple):
    """All that the page tells."""

    cluster: str
    now: float
    findings: list[Finding]
    copies: list[Copy]
    looks: dict[str, Variables]
    tokens: list[State]


def gather(hostvars: Mapping[str, Variables], groups: Mapping[str, Sequence[str]], now: float) -> Report:
    """What a look at every host has found."""
    hosts = [host for host in cluster_hosts(groups, any_variables(groups, hostvars)) if host in hostvars]
    looks = {host: hostvars[host].get("slurm_jwt_observation") or {} for host in hosts}
    names = [str((look.get("conf") or {}).get("cluster_name") or "") for look in looks.values()]
    tokens = states(hostvars, groups, now)
    copies = [copy for host, look in looks.items() for copy in copies_on(host, look)]
    found = [*_of_looks(looks), *_of_keys(copies), *findings(tokens)]
    return Report(
        next(filter(None, names), "?"),
        now,
        sorted(found, key=lambda one: _RANKS.index(one.severity)),
        copies,
        looks,
        tokens,
    )


def _of_looks(looks: Mapping[str, Variables]) -> list[Finding]:
    found = []
    for host, look in looks.items():
        if "conf" not in look:
            said = str(look.get("msg") or "it did not answer")
            found.append(Finding(ERROR, host, f"The host could not be looked at: {said}"))
        for problem in look.get("problems") or ():
            text = " ".join(str(problem.get(name) or "") for name in ("found", "effect", "remedy")).strip()
            severity = problem["severity"] if problem["severity"] in _RANKS else INFO
            found.append(Finding(severity, host, text))
    return found


def _of_keys(copies: Sequence[Copy]) -> list[Finding]:
    key_hosts: dict[str, list[str]] = {}
    for one in copies:
        if one.copy == "in force":
            key_hosts.setdefault(str(one.key["fingerprint"]), []).append(one.host)
    if len(key_hosts) < 2:
        return []
    told = "; ".join(f"{short(key)} on {', '.join(hosts)}" for key, hosts in key_hosts.items())
    text = f"Key hosts have different keys: {told}. Some daemons refuse what others sign. See the playbook rotate."
    return [Finding(ERROR, next(iter(key_hosts.values()))[0], text)]


# -- the page ----------------------------------------------------------------------------------------------------------

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #d5dae0; --soft: #f4f6f8; --quiet: #59636e;
  --ok: #1a7f37; --warning: #9a6700; --error: #c62828; --info: #0860ca; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --paper: #14181d; --line: #343b44; --soft: #1c2229;
  --quiet: #9aa5b1; --ok: #4ac26b; --warning: #d4a72c; --error: #ff7b72; --info: #6cb6ff; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 70rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
.quiet { color: var(--quiet); } .wide { overflow-x: auto; }
.sum { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1rem 0; padding: 0; list-style: none; }
.sum li { border: 1px solid var(--line); border-radius: 6px; padding: .4rem .8rem; background: var(--soft); }
.sum b { font-size: 1.2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--quiet); }
code { font: 13px ui-monospace, monospace; overflow-wrap: break-word; }
.ok { color: var(--ok); } .warning { color: var(--warning); }
.error { color: var(--error); } .info { color: var(--info); }
svg { width: 100%; min-width: 40rem; height: auto; display: block; }
svg text { font: 13px system-ui, sans-serif; fill: var(--ink); } svg .quiet { fill: var(--quiet); }
svg .axis { stroke: var(--line); } svg .now { stroke: var(--ink); stroke-dasharray: 4 3; }
svg .gone { fill-opacity: .25; } svg rect.ok { fill: var(--ok); } svg rect.warning { fill: var(--warning); }
svg rect.error { fill: var(--error); }
@media print { body { margin: 0; max-width: none; } }
"""


def page(report: Report) -> str:
    """The report as one file of HTML."""
    title = f"JWT of the Slurm cluster {report.cluster}"
    components = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="quiet">As it was found {utc(report.now)}, by hpc.slurm_jwt. No key and no token is in here.</p>',
        _summary(report),
        "<h2>Findings</h2>",
        _findings(report.findings),
        "<h2>Tokens of services</h2>",
        _timeline(report.tokens, report.now),
        _tokens(report.tokens),
        "<h2>Keys, and who holds them</h2>",
        _keys(report.copies),
        "<h2>Settings and daemons</h2>",
        _settings(report.looks),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Nothing may be loaded or run, even if something got past the escaping.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(components)
        + "\n</body>\n</html>\n"
    )


def _summary(report: Report) -> str:
    in_force = {str(one.key["fingerprint"]) for one in report.copies if one.copy == "in force"}
    counts = [(len(report.looks), "hosts", ""), (len(in_force), "keys in force", ERROR if len(in_force) > 1 else "")]
    counts.append((len(report.tokens), "declared tokens", ""))
    for severity in (ERROR, WARNING):
        number = len([one for one in report.findings if one.severity == severity])
        counts.append((number, _WORDS[severity].lower(), severity if number else OK))
    cells = "".join(f'<li><b class="{color}">{number}</b> {words}</li>' for number, words, color in counts)
    return f'<ul class="sum">{cells}</ul>'


def _findings(found: Sequence[Finding]) -> str:
    if not found:
        return '<p class="ok">Nothing that anybody has to look at.</p>'
    return _table(
        ("severity", "host", "what was found, and what to do"),
        ((_colored(one.severity, one.severity), escape(one.host), escape(one.text)) for one in found),
    )


def _tokens(found: Sequence[State]) -> str:
    if not found:
        return "<p>No service is declared.</p>"
    return _table(
        ("service", "user", "host", "file", "lifespan", "left", "expires", "signed by", "token", "timer"),
        (
            (
                escape(one.service),
                escape(one.user),
                escape(one.host),
                _code(one.dest),
                escape(one.lifespan),
                span(one.left),
                "-" if one.expires is None else utc(one.expires),
                _signer(one),
                _colored(one.severity, one.state),
                _colored(one.timer_severity, one.timer),
            )
            for one in found
        ),
    )


def _signer(one: State) -> str:
    if one.fingerprint:
        return _code(short(one.fingerprint))
    return "?" if one.key == "?" else _colored(ERROR, f"{one.key} key")


def _keys(copies: Sequence[Copy]) -> str:
    if not copies:
        return "<p>No host has a key.</p>"
    return _table(
        ("host", "copy", "fingerprint", "file", "owner", "mode", "age", "serial", "made by"),
        (
            (
                escape(one.host),
                one.copy,
                _code(one.short),
                _code(one.path),
                escape(one.owner),
                escape(str(one.key["mode"])),
                span(one.key.get("age")),
                escape(str(one.key.get("serial") or "-")),
                escape(str(one.key.get("by") or "-")),
            )
            for one in copies
        ),
    )


def _settings(looks: Mapping[str, Variables]) -> str:
    rows = []
    for host, look in looks.items():
        daemons = [
            f"{name}: {daemon.get('active') or '?'}" + (" with SLURM_JWT" if daemon.get("slurm_jwt") else "")
            for name, daemon in (look.get("daemons") or {}).items()
            # Of slurmd nobody asks more than which release it is.
            if name != "slurmd" or daemon.get("active")
        ]
        files = []
        for name, conf in (("slurm.conf", look.get("conf")), ("slurmdbd.conf", look.get("dbd_conf"))):
            if conf and "auth_alt_types" in conf:
                members = [
                    f"{member}={value}" if value else member for member, value in conf["auth_alt_parameters"].items()
                ]
                types = ",".join(conf["auth_alt_types"]) or "no AuthAltTypes"
                files.append(f"{name}: {escape(types)} {_code(','.join(members))}")
        rows.append(
            (
                escape(host),
                escape(", ".join(look.get("components") or ())),
                escape(str(look.get("release") or "?")),
                "<br>".join(files) or "-",
                escape(", ".join(daemons)) or "-",
                _jwks(look.get("jwks")),
            )
        )
    return _table(("host", "component", "Slurm", "settings", "daemons", "JWKS"), _alike(rows))


def _jwks(found: Variables | None) -> str:
    if not found or not found.get("exists"):
        return "-"
    return f"{_code(str(found['path']))}: {escape(', '.join(map(str, found.get('kids') or ())) or 'no keys')}"


def _alike(rows: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Hosts of which the same is to be said share a line: a cluster has more nodes than a page has."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for host, *rest in rows:
        groups.setdefault(tuple(rest), []).append(host)
    return [
        (", ".join(hosts) if len(hosts) < 4 else f"{hosts[0]} and {len(hosts) - 1} more", *rest)
        for rest, hosts in groups.items()
    ]


# -- the time line -----------------------------------------------------------------------------------------------------


def _timeline(found: Sequence[State], now: float) -> str:
    """A bar for each token from its making to its end, and a line for now."""
    shown = [one for one in found if one.expires is not None]
    if not shown:
        return ""
    begin = max(min([now, *(one.made if one.made is not None else now for one in shown)]), now - _LONGEST)
    end = min(max([now + 60, *(float(one.expires or 0) for one in shown)]), now + _LONGEST)
    scale = (_WIDTH - _LEFT - 20) / (end - begin)

    def x(second: float) -> float:
        return _LEFT + (min(max(second, begin), end) - begin) * scale

    height = _TOP + _ROW * len(shown) + 24
    lines = [
        f'<div class="wide"><svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="Tokens over time">',
        *_ticks(begin, end, x, height),
    ]
    for row, one in enumerate(shown):
        top = _TOP + row * _ROW
        made = begin if one.made is None else one.made
        ends = float(one.expires or 0)
        name = f"{one.service} on {one.host}"
        label = name if len(name) < 36 else name[:34] + "…"
        tip = f"{name}: {one.state}, {span(one.left)} left, until {utc(ends)}"
        lines.append(f'<g><title>{escape(tip)}</title><text x="0" y="{top + 15}">{escape(label)}</text>')
        for first, last, style in ((made, min(now, ends), "gone"), (now, ends, "")):
            if last > first:
                lines.append(
                    f'<rect class="{one.severity} {style}" x="{x(first):.1f}" y="{top + 3}"'
                    f' width="{max(x(last) - x(first), 1):.1f}" height="{_ROW - 10}" rx="2"/>'
                )
        lines.append("</g>")
    place = x(now)
    lines.append(f'<line class="now" x1="{place:.1f}" y1="{_TOP - 8}" x2="{place:.1f}" y2="{height - 16}"/>')
    lines.append(f'<text x="{place:.1f}" y="{_TOP - 14}" text-anchor="middle">now</text></svg></div>')
    return "\n".join(lines)


def _ticks(begin: float, end: float, x: Any, height: int) -> list[str]:
    """A line and a date at a handful of round instants."""
    sizes = ((60, (1, 5, 15)), (3600, (1, 3, 6)), (86400, (1, 7, 30, 90)))
    steps = [size * unit for unit, many in sizes for size in many]
    step = next((step for step in steps if (end - begin) / step <= 7), steps[-1])
    lines = []
    second = (int(begin) // step + 1) * step
    while second < end:
        words = utc(second)[5:10] if step >= 86400 else utc(second)[5:16]
        place = f"{x(second):.1f}"
        lines.append(f'<line class="axis" x1="{place}" y1="{_TOP - 4}" x2="{place}" y2="{height - 16}"/>')
        lines.append(f'<text class="quiet" x="{place}" y="{height - 2}" text-anchor="middle">{words}</text>')
        second += step
    return lines


# -- pieces ------------------------------------------------------------------------------------------------------------


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'


def _colored(severity: str, text: str) -> str:
    return f'<span class="{severity}">{escape(text)}</span>'


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"

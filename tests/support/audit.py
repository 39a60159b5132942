"""Ask whether any dependency has a known weakness: ``python tests/support/audit.py`` in the folder of the project.

pip-audit looks at this Python's packages and npm at those of package-lock.json. The answer is 1 where a release without
the weakness exists, for then there is something to do; what has no fix yet is told. Where nobody answers (no network,
a mirror without advisories), a line says so.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

_LIMIT_S = 300


class NoAnswer(Exception):
    """Raised when an audit could not be made; says why."""


@dataclass(frozen=True)
class Finding:
    """A known weakness of a package.

    Attributes
    ----------
    package
        Name and version.
    name
        Of the weakness, or what it is.
    fix
        Where it is mended; empty when nowhere yet.
    """

    package: str
    name: str
    fix: str

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.package}: {self.name}; {f'mended in {self.fix}' if self.fix else 'no fix yet'}"


def python_findings(report: str) -> list[Finding]:
    """Read what ``pip-audit --format json`` found.

    Raises
    ------
    NoAnswer
        When it is no report.
    """
    content = _parsed(report)
    if not isinstance(content.get("dependencies"), list):
        raise NoAnswer("no report")
    return [
        Finding(
            f"{each['name']} {each.get('version', '')}".strip(), weakness["id"], ", ".join(weakness["fix_versions"])
        )
        for each in content["dependencies"]
        for weakness in each.get("vulns", [])
    ]


def npm_findings(report: str) -> list[Finding]:
    """Read what ``npm audit --json`` found.

    Raises
    ------
    NoAnswer
        When it is no report.
    """
    content = _parsed(report)
    if not isinstance(content.get("vulnerabilities"), dict):
        raise NoAnswer(str(content.get("message", "no report")).partition(" - ")[0])
    found = []
    for name, each in content["vulnerabilities"].items():
        fix = each.get("fixAvailable")
        where = f"{fix['name']} {fix['version']}" if isinstance(fix, dict) else "a newer release" if fix else ""
        found.append(Finding(f"{name} {each.get('range', '')}".strip(), f"{each.get('severity', '')} severity", where))
    return found


def _parsed(report: str) -> dict[str, Any]:
    try:
        content = json.loads(report)
    except ValueError as error:
        raise NoAnswer("no report") from error
    if not isinstance(content, dict):
        raise NoAnswer("no report")
    return content


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=_LIMIT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise NoAnswer(f"no answer within {_LIMIT_S} s") from error
    if not done.stdout.strip():
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise NoAnswer(last.partition("://")[0][:120])
    return done.stdout


def ask_pip_audit() -> list[Finding]:
    """Audit the packages of this Python, but not the project itself."""
    if importlib.util.find_spec("pip_audit") is None:
        raise NoAnswer("pip-audit is not installed")
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--skip-editable"]
    return python_findings(_run(command))


def ask_npm() -> list[Finding]:
    """Audit what package-lock.json names."""
    npm = shutil.which("npm")
    if npm is None:
        raise NoAnswer("npm is not installed")
    return npm_findings(_run([npm, "audit", "--json"]))


def audit(asked: dict[str, Callable[[], list[Finding]]]) -> int:
    """Print what each audit says; return 1 where something can be mended, else 0."""
    status = 0
    for kind, ask in asked.items():
        try:
            found = ask()
        except NoAnswer as error:
            print(f"The {kind} dependencies were not audited: {error}.")
            continue
        print(f"The {kind} dependencies were audited: {len(found)} known weaknesses.")
        for each in found:
            print(f"  {each}")
            status |= int(bool(each.fix))
    return status


if __name__ == "__main__":
    sys.exit(audit({"Python": ask_pip_audit, "JavaScript": ask_npm}))

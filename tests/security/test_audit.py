"""The audit of dependencies: fatal where a fix exists, a plain line where nobody answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from audit import Finding, NoAnswer, audit, npm_findings, python_findings

PYTHON = {
    "dependencies": [
        {"name": "numpy", "version": "2.2.0", "vulns": []},
        {"name": "spa-widgets", "skip_reason": "distribution marked as editable"},
        {"name": "a", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1", "2.0"], "aliases": []}]},
        {"name": "b", "version": "3.0", "vulns": [{"id": "CVE-2", "fix_versions": [], "aliases": []}]},
    ],
    "fixes": [],
}
NPM = {
    "auditReportVersion": 2,
    "vulnerabilities": {
        "x": {"name": "x", "severity": "high", "range": "<1.2", "fixAvailable": {"name": "y", "version": "3.0.0"}},
        "z": {"name": "z", "severity": "low", "range": "*", "fixAvailable": False},
        "w": {"name": "w", "severity": "moderate", "range": "<=2", "fixAvailable": True},
    },
}


def test_reports_are_read() -> None:
    assert [str(each) for each in python_findings(json.dumps(PYTHON))] == [
        "a 1.0: CVE-1; mended in 1.1, 2.0",
        "b 3.0: CVE-2; no fix yet",
    ]
    assert [str(each) for each in npm_findings(json.dumps(NPM))] == [
        "x <1.2: high severity; mended in y 3.0.0",
        "z *: low severity; no fix yet",
        "w <=2: moderate severity; mended in a newer release",
    ]


@pytest.mark.parametrize("read", [python_findings, npm_findings])
@pytest.mark.parametrize("report", ["", "[]", "{}", "<html>", '{"message": "405 Method Not Allowed - POST address"}'])
def test_what_is_no_report_is_no_answer(read: Callable[[str], list[Finding]], report: str) -> None:
    with pytest.raises(NoAnswer):
        read(report)


def no_answer() -> list[Finding]:
    raise NoAnswer("405 Method Not Allowed")


def test_only_what_can_be_mended_is_fatal(capsys: pytest.CaptureFixture[str]) -> None:
    fixed, open_ = Finding("a 1", "CVE-1", "2"), Finding("b 1", "CVE-2", "")
    assert audit({"Python": lambda: [open_], "JavaScript": no_answer}) == 0
    assert capsys.readouterr().out.splitlines() == [
        "The Python dependencies were audited: 1 known weaknesses.",
        "  b 1: CVE-2; no fix yet",
        "The JavaScript dependencies were not audited: 405 Method Not Allowed.",
    ]
    assert audit({"Python": lambda: [open_, fixed]}) == 1
    assert audit({"Python": lambda: []}) == 0

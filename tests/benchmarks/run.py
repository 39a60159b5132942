"""Run benchmarks and print their figures: ``python -m tests.benchmarks.run [names…]``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

from tests.benchmarks.cpu_page import write_sections
from tests.benchmarks.report import table

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = REPOSITORY / "build"
PAGE = REPOSITORY / "docs" / "benchmarks" / "cpu.md"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
BENCHMARKS = (
    "startup",
    "kernels",
    "simulate",
    "ctf",
    "picking",
    "extraction",
    "classify_2d",
    "initial_model",
    "refine",
    "fsc",
    "widgets",
    "volume_viewer",
    "class",
    "kills",
    "cluster",
)
OWN_PAGE = ("class", "kills", "cluster")
"""These are no steps, and have pages of their own."""


@dataclass(frozen=True)
class Settings:
    """What every benchmark is told.

    Attributes
    ----------
    quick : bool
        Less data, to see that everything works; the figures mean little.
    threads : int
        Threads for us and for the peers alike.
    peer_limit_s : float
        CPU seconds after which another program is stopped; the ratio is a lower bound then.
    data : Path
        Folder of simulated input that is kept between runs.
    work : Path
        Empty folder of this run.
    """

    quick: bool
    threads: int
    peer_limit_s: float
    data: Path
    work: Path

    def size(self, full: int, quick: int) -> int:
        """Return one of two sizes."""
        return quick if self.quick else full


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; return the exit status."""
    options = _parser().parse_args(arguments)
    if options.one:
        return _run_one(options)
    threads = str(options.threads)
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, threads)}
    rows: list[dict[str, Any]] = []
    failed = []
    for name in options.names or BENCHMARKS:
        print(f"{name} …", file=sys.stderr, flush=True)
        found = _in_own_process(name, options, environment)
        if found is None:
            failed.append(name)
        else:
            rows += found
            if not options.quick and name not in OWN_PAGE:
                write_sections(PAGE, BENCHMARKS, name, machine(options), found)
        # after each, so that an interrupted run leaves what it has measured
        _write(options.json, {"machine": machine(options), "rows": rows, "failed": failed})
    described = "  ".join(f"{key}: {value}" for key, value in machine(options).items())
    print("\n" + described)
    print(table(rows))
    print(
        f"\nratio: CPU time of the reference over ours (> where the reference was stopped). Written to {options.json}"
    )
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def _write(path: Path, result: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.run", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], metavar="name", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="less data: shows that everything works")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads for us and for peers")
    parser.add_argument("--peer-limit-s", type=float, default=600.0, help="CPU seconds given to another program")
    parser.add_argument("--json", type=Path, default=BUILD / "benchmarks.json", help="where the figures are written")
    parser.add_argument("--keep", action="store_true", help="keep the working folders under build/")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    return parser


def _in_own_process(name: str, options: argparse.Namespace, environment: dict[str, str]) -> list[dict[str, Any]] | None:
    """Run one benchmark in a process of its own, so that neither memory nor compiled code of another one counts."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "rows.json"
        command = [sys.executable, "-m", "tests.benchmarks.run", name, "--one", str(result)]
        command += ["--threads", str(options.threads), "--peer-limit-s", str(options.peer_limit_s)]
        command += ["--quick"] * options.quick + ["--keep"] * options.keep
        status = subprocess.run(command, cwd=REPOSITORY, env=environment, check=False).returncode
        if status or not result.exists():
            return None
        rows: list[dict[str, Any]] = json.loads(result.read_text(encoding="utf-8"))
        return rows


def _run_one(options: argparse.Namespace) -> int:
    name = options.names[0]
    BUILD.mkdir(exist_ok=True)
    data = BUILD / "benchmark-data"
    data.mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f"benchmark-{name}-", dir=BUILD))
    signal.signal(signal.SIGTERM, _interrupt)
    settings = Settings(options.quick, options.threads, options.peer_limit_s, data, work)
    try:
        rows = import_module(f"tests.benchmarks.bench_{name}").run(settings)
    finally:
        if not options.keep:
            shutil.rmtree(work, ignore_errors=True)
    options.one.write_text(json.dumps([row.to_json(name) for row in rows]), encoding="utf-8")
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def machine(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the figures were measured on."""
    packages = {name: version(name) for name in ("numpy", "scipy", "numba")}
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": options.threads,
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **packages,
        "quick": options.quick,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main())

"""Feed every reader files that grow from what its code does with them, and count the answers that are no sentence.

``python -m tests.benchmarks.fuzz_readers star mrc --seconds 300`` needs Atheris (``pip install atheris``; Linux). Each
kind runs in a process of its own with a limit of memory; what broke a reader is left under ``build/fuzz``.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

SUPPORT = Path(__file__).parents[1] / "support"
FOLDER = Path(__file__).parents[2] / "build" / "fuzz"
MOST_BYTES_MORE = 1_500_000_000
MOST_SECONDS_EACH = 10
LONGEST = 1 << 14


def main() -> int:
    """Fuzz each kind of file; give 1 where a reader broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help="kinds of files; all of them unless given")
    parser.add_argument("--seconds", type=int, default=300, help="for each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print("Atheris is not installed (pip install atheris); nothing was fuzzed.")
        return 0
    sys.path.insert(0, str(SUPPORT))
    if given.child:
        _fuzz(given.child, given.seconds, given.seed)
        return 0
    from readers import KINDS

    broken = 0
    for kind in given.kinds or KINDS:
        command = [sys.executable, "-m", __spec__.name, "--child", kind]
        command += ["--seconds", str(given.seconds), "--seed", str(given.seed)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
        lines = (done.stdout + done.stderr).splitlines()
        runs = next((line.split()[1] for line in reversed(lines) if line.startswith("Done ")), "?")
        print(f"{kind}: {'broken' if done.returncode else 'held'} (inputs: {runs})", flush=True)
        if done.returncode:
            broken += 1
            told = [line for line in lines if not line.startswith(("INFO", "WARNING", "#", "stat::"))]
            print("\n".join(told[-40:]), flush=True)
    return int(bool(broken))


def _fuzz(kind_name: str, seconds: int, seed: int) -> None:
    import atheris

    # what Numba compiles cannot be looked into
    followed = ["spa_widgets.io", "spa_widgets.guard", "zipfile", "tarfile"]
    with atheris.instrument_imports(include=followed, exclude=["spa_widgets.io.eer"]):
        from readers import KINDS, in_one_sentence
    kind = KINDS[kind_name]
    corpus = FOLDER / "corpus" / kind_name.replace(" ", "-")
    found = FOLDER / "found"
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    from reader_seeds import seeds

    for number, content in enumerate(seeds(kind.suffix)):
        (corpus / f"seed{number}").write_bytes(content)
    with tempfile.TemporaryDirectory(prefix="fuzz", dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as place:
        path = Path(place) / (f"a{kind.suffix}" if kind.suffix else "manifest.json")

        (Path(place) / "a.mrcs").write_bytes(seeds(".mrcs")[4])  # what the tables name

        def one(content: bytes) -> None:
            path.write_bytes(kind.wrap(content))
            for reader in kind.readers:
                in_one_sentence(reader, path)

        for content in (b"", *seeds(kind.suffix)):  # what is loaded once does not count against the limit
            one(content)
        used = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MOST_BYTES_MORE, resource.RLIM_INFINITY))
        options = [
            f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={LONGEST}", f"-timeout={MOST_SECONDS_EACH}",
            f"-artifact_prefix={found}/{kind_name.replace(' ', '-')}-", "-rss_limit_mb=0", "-print_final_stats=1",
            "-len_control=0",
        ]  # fmt: skip
        atheris.Setup([sys.argv[0], *options, str(corpus)], one)
        atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())

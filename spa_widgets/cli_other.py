"""Commands that are no steps: list, verify, fetch, tutorial."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from spa_widgets.errors import UserError


@click.command("list", short_help="List the steps.")
def list_command() -> None:
    """List the steps with what goes in and what comes out."""
    from spa_widgets.cli_steps import command_name
    from spa_widgets.session.registry import all_steps, load_steps

    load_steps()
    for step in all_steps():
        inputs = " ".join(f"[{item.name}]" if item.optional else item.name for item in step.inputs)
        outputs = ", ".join(output.file for output in step.outputs if not output.optional)
        click.echo(f"{command_name(step):<20} {step.title}")
        click.echo(f"{'':<20}   {inputs or '(nothing)'} -> {outputs}")


@click.command("verify", short_help="Verify stored results by their SHA-256.")
@click.argument("folder")
def verify_command(folder: str) -> int:
    """Read every byte of the results in FOLDER (a project, a store, or a command's folder) and compare SHA-256."""
    from spa_widgets.session.store import Store

    path = Path(folder).expanduser().absolute()
    store = Store(_store_of(path))
    faults = store.verify()
    for key, sentences in faults.items():
        for sentence in sentences:
            click.echo(f"{key[:16]}: {sentence}", err=True)
    click.echo(f"{len(store.keys())} results, {len(faults)} damaged")
    return 1 if faults else 0


def _store_of(path: Path) -> Path:
    for candidate in (path, path / ".spa" / "store"):
        if (candidate / "objects").is_dir():
            return candidate
    for name in ("job.json", "project.json"):
        try:
            store = json.loads((path / name).read_text(encoding="utf-8"))["store"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        return path / str(store)
    raise UserError(f"{path} is neither a store, a project nor a folder that spa made; give one of these.")


@click.command("fetch", short_help="Download a public data set.")
@click.argument("name")
@click.argument("folder")
@click.option("--url", help="Take the archive from another address (a mirror, a file server of your own).")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def fetch_command(name: str, folder: str, url: str | None, quiet: bool) -> None:
    """Download the data set NAME into FOLDER, verify it and unpack it; run again it goes on where it stopped."""
    from dataclasses import replace

    from spa_widgets.cli_progress import ProgressPrinter
    from spa_widgets.io.fetch import DATA_SETS, fetch

    if name not in DATA_SETS:
        raise UserError(f"There is no data set {name!r}; there are {', '.join(DATA_SETS)}.")
    chosen = replace(DATA_SETS[name], urls=(url,)) if url else DATA_SETS[name]
    with ProgressPrinter(f"Fetching {name}", quiet) as printer:
        files = fetch(chosen, Path(folder).expanduser(), byte_reporter(printer))
    for path in files:
        click.echo(str(path))


def byte_reporter(printer: Any) -> Any:
    """Return what shows bytes done and bytes in all on a printer of progress."""
    import time

    begun: dict[str, tuple[float, int]] = {}

    def report(done: int, total: int, message: str) -> None:
        start, first = begun.setdefault(message, (time.monotonic(), done))
        speed = (done - first) / max(time.monotonic() - start, 1e-9)
        printer.event(
            {
                "kind": "progress",
                "fraction": done / total if total else 0.0,
                "message": f"{message}, {done / 1e6:.0f} of {total / 1e6:.0f} MB",
                "eta_s": (total - done) / speed if speed > 0 else None,
            }
        )

    return report


@click.command("convert", short_help="Particles or positions in another program's format.")
@click.argument("inputs", nargs=-1, required=True, metavar="FILE...")
@click.option("--out", required=True, metavar="FILE", help="New file: .star (RELION), .cs (cryoSPARC) or .csv.")
@click.option(
    "--passthrough", multiple=True, metavar="FILE", help=".cs the particles come from: keep its other columns in a .cs."
)
@click.option("--names-only", is_flag=True, help="The images are elsewhere: look at none, keep their names.")
def convert_command(inputs: tuple[str, ...], out: str, passthrough: tuple[str, ...], names_only: bool) -> None:
    """Convert or join particles (.star, .cs), micrographs, or positions (also .box, .csv) into one file.

    Files of positions are named like their micrographs: mic_1.box belongs to mic_1.mrc. A .cs made of a .cs keeps every
    column; of a .star whose particles once were a .cs, name that one with --passthrough. Joined particles and
    micrographs keep the pixel size and optics of their own file.
    """
    from spa_widgets.io.convert import convert
    from spa_widgets.session.inputs import raw_files

    target = Path(out).expanduser()
    originals = raw_files(list(passthrough), "--passthrough", "convert") if passthrough else []
    done = convert(raw_files(list(inputs), "FILE", "convert"), target, originals, names_only)
    click.echo(f"{done} in {target}")


@click.command("tutorial", short_help="Run the tutorial notebook without a person.")
@click.option("--preset", type=click.Choice(["small", "workshop"]), default="small", help="Embedded data set.")
@click.option("--micrographs", default="", metavar="GLOB", help="Your own micrographs instead of the embedded set.")
@click.option("--pixel-size-A", "pixel_size_A", type=float, default=1.232, help="Å, of your own micrographs.")
@click.option("--voltage-kv", "voltage_kv", type=float, default=300.0, help="kV.")
@click.option("--cs-mm", "cs_mm", type=float, default=1.6, help="mm.")
@click.option("--amplitude-contrast", "amplitude_contrast", type=float, default=0.1, help="Fraction.")
@click.option("--dose-e-per-A2", "dose_e_per_A2", type=float, default=35.0, help="Electrons per Å².")
@click.option("--language", type=click.Choice(["en", "ja"]), default="en", help="Language of the notebook.")
@click.option("--out", default="tutorial-output", metavar="DIR", help="Folder for notebook, report and maps.")
@click.option("--device", type=click.Choice(["auto", "cpu", "gpu"]), default="auto", help="Where to compute.")
@click.option("--seed", type=int, default=0, help="Seed of the embedded data set.")
def tutorial_command(language: str, **settings: Any) -> int:
    """Run the tutorial notebook from top to bottom; leave the executed notebook, an HTML report and the maps."""
    from spa_widgets.tutorial.data import TutorialSettings
    from spa_widgets.tutorial.run import main

    return int(main(TutorialSettings(**settings), language))

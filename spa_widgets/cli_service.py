"""`spa service`: the engine service of a machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spa_widgets.errors import UserError

if TYPE_CHECKING:
    from spa_widgets.session.tickets import ServicePlace


@click.group("service", short_help="One engine for all users of a machine.")
def service_command() -> None:
    """Compute for all users of a machine, and share what one has computed with everybody."""


@service_command.command("run", short_help="Run the service.")
@click.option("--config", type=click.Path(dir_okay=False), help="TOML file with any of these options.")
@click.option("--root", metavar="DIR", help="Folder of the service, owned by the account that runs it.")
@click.option("--store", metavar="DIR", help="Class store; 'store' in the service's folder by default.")
@click.option("--memory-gb", type=float, help="A job that uses more is ended. [no limit]")
@click.option("--max-request-mb", type=float, help="Largest request. [default 4]")
@click.option("--max-file-gb", type=float, help="Largest file of a participant. [default 16]")
@click.option("--max-open-jobs", type=int, help="Unanswered requests of one user. [default 200]")
@click.option("--max-requests-an-hour", type=int, help="Requests of one user within an hour. [default 2000]")
@click.option("--max-user-gb", type=float, help="Results and files made for one user; 0: no limit. [default 100]")
@click.option("--min-free-gb", type=float, help="What stays free on the disk. [default 2]")
@click.option("--group", help="Only members of this group may ask. [default everybody on the machine]")
def run_command(config: str | None, **given: Any) -> None:
    """Run the service until it gets SIGTERM; jobs that run then go on at the next start.

    Run it under an account of its own. Participants set SPA_SERVICE to its folder, or open Session(..., service=DIR).
    """
    import logging

    from spa_widgets.service.folder import ServiceSettings
    from spa_widgets.service.run import run_service

    values = {**_read_config(config, set(given)), **{name: value for name, value in given.items() if value is not None}}
    if not values.get("root"):
        raise UserError("The service needs a folder; give --root DIR.")
    for name in ("root", "store"):
        if values.get(name):
            values[name] = Path(values[name])
    status = run_service(ServiceSettings(**values))
    logging.shutdown()
    os._exit(status)  # the workers end with the service; there is nothing to wait for


def _read_config(config: str | None, known: set[str]) -> dict[str, Any]:
    if config is None:
        return {}
    import tomllib

    try:
        with Path(config).open("rb") as stream:
            values = tomllib.load(stream)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{config} cannot be read as TOML: {error}.") from error
    values = {name.replace("-", "_"): value for name, value in values.items()}
    if unknown := set(values) - known:
        raise UserError(f"{config} has unknown settings {sorted(unknown)}; there are {sorted(known)}.")
    return values


@service_command.command("status", short_help="Show the queue of a service.")
@click.argument("root", required=False)
def status_command(root: str | None) -> int:
    """Show who waits for what at the service in ROOT (by default the one that SPA_SERVICE names)."""
    from spa_widgets.session.display import duration

    place = _place(root)
    board = place.board()
    click.echo(f"{'running' if place.is_alive() else 'not running'}, class store {place.store}")
    for job in board.get("running", []):
        click.echo(f"  runs   {job['step']:<24} {', '.join(job['users'])}")
    for position, job in enumerate(board.get("waiting", []), 1):
        wait = duration(job["expected_wait_s"])
        click.echo(f"  {position:>4}.  {job['step']:<24} {', '.join(job['users'])}, in about {wait}")
    return 0 if place.is_alive() else 1


@service_command.command("take", short_help="Publish the results of a bundle for everybody.")
@click.argument("bundle")
@click.argument("root", required=False)
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def take_command(bundle: str, root: str | None, quiet: bool) -> None:
    """Publish the results in BUNDLE in the class store of the service in ROOT (by default that of SPA_SERVICE).

    The service computes everything itself and takes nobody's word for a result; this is the word of who keeps it, so
    it is typed as the service's account, also while the service runs. Participants then go on from these results.
    """
    from spa_widgets.cli_other import byte_reporter
    from spa_widgets.cli_progress import ProgressPrinter
    from spa_widgets.io.bundle import BundleFile
    from spa_widgets.session.bundle.publish import publish_bundle
    from spa_widgets.session.store import Store

    store = _place(root).store
    if not os.access(store / "objects", os.W_OK) or store.stat().st_uid != os.geteuid():
        raise UserError(f"{store} belongs to the service's account; type this as that account.")
    os.umask(0o022)  # what is published is for everybody to read
    opened = BundleFile.open(bundle)
    with ProgressPrinter(f"Publishing {opened.path.name}", quiet) as printer:
        published = publish_bundle(opened, Store.open(store), byte_reporter(printer))
    click.echo(f"{store}: {published}")


def _place(root: str | None) -> ServicePlace:
    from spa_widgets.session.tickets import SERVICE_VARIABLE, ServicePlace

    where = root or os.environ.get(SERVICE_VARIABLE)
    if not where:
        raise UserError("Give the folder of the service, or set SPA_SERVICE.")
    return ServicePlace.open(where)

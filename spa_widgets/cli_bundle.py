"""`spa export` and `spa open`: a project, or a part of it, as one archive."""

from __future__ import annotations

import os
from pathlib import Path

import click

from spa_widgets.errors import UserError

_BUNDLE_SUFFIX = ".spa"


@click.command("export", short_help="Write jobs with all they need into one archive.")
@click.argument("names", nargs=-1, required=True, metavar="[PROJECT] [JOB...] OUT.spa")
@click.option("--project", metavar="DIR", help="The project; the first argument, or the current folder, by default.")
@click.option("--without-micrographs", is_flag=True, help="Leave the micrographs out.")
@click.option("--without-stacks", is_flag=True, help="Leave stacks of particles out.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def export_command(
    names: tuple[str, ...], project: str | None, without_micrographs: bool, without_stacks: bool, quiet: bool
) -> None:
    """Write the finished jobs of a project (all, or JOB... such as J12 with all that they use) into OUT.spa.

    Picks, chosen classes and other decisions travel too. Others go on from it by spa open, or look at it there.
    """
    from spa_widgets.cli_other import byte_reporter
    from spa_widgets.cli_progress import ProgressPrinter
    from spa_widgets.session.bundle.export import export_bundle
    from spa_widgets.session.project import PROJECT_FILE, Project
    from spa_widgets.session.registry import load_steps

    *given, out = names
    if not out.endswith(_BUNDLE_SUFFIX):
        raise UserError(f"The last argument is the archive to write, such as workshop.spa; {out!r} was given.")
    if project is None:
        project = given.pop(0) if given and Path(given[0]).expanduser().is_dir() else os.curdir
    folder = Path(project).expanduser().absolute()
    if not (folder / PROJECT_FILE).is_file():
        raise UserError(f"{folder} is not a project (it has no {PROJECT_FILE}); give the folder of one.")
    load_steps()
    with ProgressPrinter("Exporting", quiet) as printer:
        written = export_bundle(
            Project.open(folder), Path(out).expanduser().absolute(), given, not without_micrographs,
            not without_stacks, byte_reporter(printer),
        )  # fmt: skip
    click.echo(str(written))


@click.command("open", short_help="Open an archive of spa export as a project.")
@click.argument("bundle")
@click.option("--out", metavar="DIR", help="Folder of the project; by default one of the bundle's name here.")
@click.option("--raw", multiple=True, metavar="GLOB", help="Micrographs here that the bundle was made without.")
@click.option("--unpack", is_flag=True, help="Lay out every file now, for other programs.")
@click.option("--verify", is_flag=True, help="Compare every byte with its SHA-256 first.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def open_command(bundle: str, out: str | None, raw: tuple[str, ...], unpack: bool, verify: bool, quiet: bool) -> None:
    """Open BUNDLE as a project to go on from: its jobs are there, its files come out when they are asked for.

    A project that is there keeps its own jobs, and finds the results of the bundle.
    """
    from spa_widgets.cli_other import byte_reporter
    from spa_widgets.cli_progress import ProgressPrinter
    from spa_widgets.io.bundle import BundleFile
    from spa_widgets.session.bundle.contents import left_out_text
    from spa_widgets.session.bundle.opened import project_of_bundle, unpack_project
    from spa_widgets.session.registry import load_steps

    load_steps()
    opened = BundleFile.open(bundle)
    with ProgressPrinter(f"Opening {opened.path.name}", quiet) as printer:
        if verify:
            opened.verify(byte_reporter(printer))
        project = project_of_bundle(bundle, out, raw)
        if unpack:
            unpack_project(project, byte_reporter(printer))
    manifest = opened.manifest
    size = sum(member.bytes for member in manifest.members.values()) / 1e6
    click.echo(f"{project.path}: {len(manifest.jobs)} jobs of {manifest.title!r}, {size:.1f} MB in {opened.path.name}")
    if manifest.lacks:
        click.echo(left_out_text(manifest.lacks))
    click.echo(f"go on in Python: session = Session({str(project.path)!r})")

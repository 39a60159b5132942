"""`spa check STEP …`: what looks wrong about a command, without running it."""

from __future__ import annotations

from typing import Any

import click

from spa_widgets.session.registry import Step

_SOMETHING = 1


class CheckGroup(click.Group):
    """The steps once more, with the inputs and options of their commands."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Names in the order in which a person meets the steps."""
        from spa_widgets.cli_steps import command_name
        from spa_widgets.session.registry import all_steps, load_steps

        load_steps()
        return [command_name(step) for step in all_steps()]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Make the command that looks at a step."""
        from spa_widgets.cli_steps import SHORT_NAMES, step_options
        from spa_widgets.session.registry import all_steps, load_steps

        load_steps()
        wanted = SHORT_NAMES.get(name, name.replace("-", "_"))
        step = next((each for each in all_steps() if each.name == wanted), None)
        if step is None:
            return None

        def look(**given: Any) -> int:
            return _check(step, given)

        return click.Command(name, params=step_options(step), callback=look, short_help=step.title)


@click.command("check", cls=CheckGroup, short_help="Look for what would go wrong silently.")
def check_command() -> None:
    """Look at a small part of the data of STEP for what would go wrong silently; nothing is computed or written.

    Give the inputs and options of the step's own command. The exit status is 0 when nothing looks wrong.
    """


def _check(step: Step, given: dict[str, Any]) -> int:
    from spa_widgets.cli_run import input_paths
    from spa_widgets.cli_steps import IMPORT_STEP, param_values, takes_images
    from spa_widgets.guard.before import findings_before
    from spa_widgets.session.params import validate_params
    from spa_widgets.session.registry import get_step

    files = input_paths(step, given)
    params = validate_params(step.params, param_values(step.params, given), step.name)
    found = findings_before(step.name, params, files)
    images = files.get("micrographs", [])
    if takes_images(step) and images and images[0].suffix != ".star":  # imported first
        importing = get_step(IMPORT_STEP)
        constants = validate_params(importing.params, param_values(importing.params, given), importing.name)
        found += findings_before(importing.name, constants, {importing.inputs[0].name: images})
    for each in found:
        click.echo(each)
        options = " ".join(_option(name, value) for name, value in each.fix.items())
        if options:
            click.echo(f"  {options}")
    if not found:
        click.echo("Nothing looks wrong.")
    return _SOMETHING if found else 0


def _option(name: str, value: Any) -> str:
    """Write a parameter as its option."""
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag} {value}"

"""`spa`: every step of the analysis as a command on files.

The commands are made from the same declarations as the session's methods and the widgets' forms. Heavy libraries are
imported only when a command has work to do.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from difflib import get_close_matches

import click

from spa_widgets import __version__
from spa_widgets.cli_bundle import export_command, open_command
from spa_widgets.cli_check import check_command
from spa_widgets.cli_other import convert_command, fetch_command, list_command, tutorial_command, verify_command
from spa_widgets.cli_service import service_command
from spa_widgets.errors import UserError, on_one_line

_OTHER = {
    "list": list_command,
    "verify": verify_command,
    "convert": convert_command,
    "fetch": fetch_command,
    "tutorial": tutorial_command,
    "service": service_command,
    "export": export_command,
    "open": open_command,
    "check": check_command,
}
EXIT_BAD_INPUT, EXIT_USAGE, EXIT_INTERNAL, EXIT_INTERRUPTED = 1, 2, 3, 130


class StepGroup(click.Group):
    """The commands: one for each registered step, made when it is asked for, and a few others."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Names in the order in which a person meets the steps."""
        from spa_widgets.cli_steps import command_name
        from spa_widgets.session.registry import all_steps, load_steps

        load_steps()
        return [*(command_name(step) for step in all_steps()), *_OTHER]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Make a command."""
        if name in _OTHER:
            return _OTHER[name]
        from spa_widgets.cli_steps import SHORT_NAMES, step_command
        from spa_widgets.session.registry import all_steps, get_step, load_steps

        load_steps()
        wanted = SHORT_NAMES.get(name, name.replace("-", "_"))
        known = {step.name for step in all_steps()}
        return step_command(get_step(wanted), name) if wanted in known else None

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; of a name that is none, say which one is near it."""
        try:
            return super().resolve_command(context, arguments)
        except click.UsageError as error:
            near = get_close_matches(arguments[0].replace("_", "-"), self.list_commands(context), n=1)
            if not near:
                raise
            raise click.UsageError(f"{error.format_message()} Did you mean {near[0]!r}?", context) from error


@click.group(cls=StepGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="spa")
def cli() -> None:
    """Single-particle analysis of cryo-EM images: one command for each step.

    Each command writes its results and a report.json into a folder of its own (--out). Run again it is there at once,
    or goes on where it was interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status: 0, or not 0 with one sentence on stderr."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        result = cli.main(args=[item for item in given if item != "--debug"], prog_name="spa", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return EXIT_USAGE
    except click.UsageError as error:
        return _fail(f"{error.format_message()} Try '{_command_path(error)} --help'.", EXIT_USAGE)
    except (KeyboardInterrupt, click.Abort):
        return _fail("Interrupted; run the same command again to go on from there.", EXIT_INTERRUPTED)
    except (UserError, ValueError) as error:
        if debug:
            raise
        return _fail(str(error), EXIT_BAD_INPUT)
    except OSError as error:
        if debug:
            raise
        return _fail(f"{error.filename or 'A file'}: {error.strerror or error}.", EXIT_BAD_INPUT)
    except Exception as error:
        if debug:
            raise
        sentence = f"Internal error ({type(error).__name__}: {error}); run with --debug and report what it prints."
        return _fail(sentence, EXIT_INTERNAL)


def _command_path(error: click.UsageError) -> str:
    return error.ctx.command_path if error.ctx is not None else "spa"


def _fail(sentence: str, status: int) -> int:
    click.echo(f"spa: {on_one_line(sentence)}", err=True)
    return status


if __name__ == "__main__":
    sys.exit(main())

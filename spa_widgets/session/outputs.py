"""Outputs of jobs: what one passes from step to step, and reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spa_widgets.errors import UserError
from spa_widgets.session.registry import Output

if TYPE_CHECKING:
    from spa_widgets.session.job import Job

_MAIN_TABLES = ("particles", "micrographs")


@dataclass(frozen=True)
class OutputRef:
    """One output of a job: pass it to a step, or call it to read it.

    Attributes
    ----------
    job
        The job.
    output
        What the step declares.
    """

    job: Job
    output: Output

    @property
    def path(self) -> Path:
        """The file; waits for the job."""
        return self.job.path(self.output.file)

    def __call__(self) -> Any:
        """Read the file: an array from MRC, a DataFrame from STAR or CSV; waits for the job."""
        return read_any(self.path)

    def __repr__(self) -> str:
        """Say which output of which job it is."""
        return f"<{self.output.name} ({self.output.kind}) of {self.job.name}: {self.output.file}>"


def read_any(path: Path) -> Any:
    """Read a file of a result by its suffix; a file of an unknown kind gives its path.

    Raises
    ------
    UserError
        If the file is damaged.
    """
    if path.suffix in (".mrc", ".mrcs", ".map"):
        from spa_widgets.io.mrc import read_mrc

        return read_mrc(path)[0]
    return read_table(path) if path.suffix in (".star", ".csv") else path


def read_table(path: Path) -> Any:
    """Read a STAR or CSV file as a DataFrame (of a STAR file its particles or micrographs).

    Raises
    ------
    UserError
        If the file is neither.
    """
    if path.suffix == ".csv":
        from spa_widgets.io.tables import read_csv_table

        return read_csv_table(path, "a table", numeric=False)
    if path.suffix == ".star":
        from spa_widgets.io.star import read_star

        tables = read_star(path)
        main = next((name for name in _MAIN_TABLES if name in tables), next(iter(tables)))
        return tables[main]
    raise UserError(f"{path.name} is not a table; expected a STAR or CSV file: use path({path.name!r}) instead.")

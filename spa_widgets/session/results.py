"""What a job gave: its files, tables, figures and pictures."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from spa_widgets.errors import UserError
from spa_widgets.session.execute import LIVE_FOLDER, REPORT_FILE
from spa_widgets.session.figures import Figures
from spa_widgets.session.outputs import OutputRef, read_any, read_table
from spa_widgets.session.project import link_file
from spa_widgets.session.queue import FINISHED, JobRow
from spa_widgets.session.registry import Step
from spa_widgets.session.stored import StoredObject

if TYPE_CHECKING:
    from spa_widgets.session.job import Job
    from spa_widgets.session.session import Session


class JobResults:
    """Base of `Job`: the part that looks at results."""

    session: Session
    number: int
    step: Step
    _is_shown = False

    if TYPE_CHECKING:  # what a job has besides

        @property
        def name(self) -> str: ...  # noqa: D102
        @property
        def key(self) -> str: ...  # noqa: D102
        def wait(self, timeout: float | None = None) -> Job: ...  # noqa: D102
        def events(self, since: int = 0, kind: str | None = None) -> list[dict[str, Any]]: ...  # noqa: D102
        def _row(self) -> JobRow: ...

    @property
    def folder(self) -> Path:
        """Its folder in the project."""
        return self.session.project.folder(self._row())

    @property
    def files(self) -> dict[str, Path]:
        """Files of its result by name; waits for it."""
        self.wait()
        stored = self.session.store.get(self.key)
        return {name: self._shown(name, path, stored) for name, path in stored.files.items()}

    @property
    def sizes(self) -> dict[str, int]:
        """Size of each file of its result in bytes; waits for it."""
        self.wait()
        listed = self.session.store.get(self.key).result["files"]
        return {name: int(facts["bytes"]) for name, facts in listed.items()}

    def _shown(self, name: str, path: Path, stored: StoredObject) -> Path:
        """Return a file as the job's folder shows it; one of a bundle is put there when it is asked for."""
        shown = self.folder / name
        if stored.source == "bundle":
            with suppress(OSError):
                if not shown.exists() or not shown.samefile(path):
                    link_file(path, shown)
        return shown if shown.exists() else path

    def _show(self, stored: StoredObject) -> None:
        """Put the small files of a result that was not made here into the job's folder."""
        with suppress(OSError):
            for name, path in stored.shown().items():
                if not self._shown(name, path, stored).is_relative_to(self.folder):
                    link_file(path, self.folder / name)

    def path(self, name: str) -> Path:
        """Return a file of its result by file name or by the output's name; waits for it.

        Raises
        ------
        UserError
            If there is no such file.
        """
        self.wait()
        stored = self.session.store.get(self.key)
        listed = stored.result["files"]
        declared = {output.name: output.file for output in self.step.outputs}
        wanted = name if name in listed else declared.get(name, name)
        if wanted not in listed:
            raise UserError(f"{self.name} has no file {name!r}; it has {', '.join(sorted(listed))}.")
        if stored.source == "bundle":  # steps and widgets look for what lies beside
            self._show(stored)
        return self._shown(wanted, stored.file(wanted), stored)

    def output(self, name: str) -> OutputRef:
        """Return one of its outputs by name, file name or kind (without waiting)."""
        for attribute in ("name", "file", "kind"):
            for output in self.step.outputs:
                if getattr(output, attribute) == name:
                    return OutputRef(cast("Job", self), output)
        known = ", ".join(output.name for output in self.step.outputs)
        raise UserError(f"{self.name} ({self.step.title}) has no output {name!r}; it has {known}.")

    def __getattr__(self, name: str) -> OutputRef:
        """Return an output: ``job.volume``, ``job.particles``; call it to read it: ``job.volume()``."""
        if name.startswith("_") or "step" not in self.__dict__:
            raise AttributeError(name)
        try:
            return self.output(name)
        except UserError as error:
            raise AttributeError(str(error)) from None

    def __dir__(self) -> list[str]:
        """Offer the outputs' names for completion."""
        return sorted({*super().__dir__(), *(output.name for output in self.step.outputs)})

    def table(self, name: str | None = None) -> Any:
        """Return a table of its result as a DataFrame: the first one, or that of a name; waits for it."""
        if name is None:
            files = [output.file for output in self.step.outputs if output.file.endswith((".star", ".csv"))]
            if not files:
                raise UserError(f"{self.name} ({self.step.title}) has no table; use path(name) for its files.")
            name = files[0]
        return read_table(self.path(name))

    def read(self, name: str) -> Any:
        """Read a file of its result: an array, a DataFrame or, for other files, the path; waits for it."""
        return read_any(self.path(name))

    @property
    def report(self) -> dict[str, Any]:
        """Parameters, versions, device, time of each stage and figures of merit; waits for it."""
        report: dict[str, Any] = json.loads(self.path(REPORT_FILE).read_text(encoding="utf-8"))
        return report

    @property
    def figures(self) -> Figures:
        """Figures of merit: those so far while it runs, all when it is finished."""
        if self._row().state == FINISHED:
            return Figures(self.report["figures"])
        return Figures({event["name"]: event["value"] for event in self.events(kind="figure")})

    @property
    def pictures(self) -> dict[str, tuple[Path, str]]:
        """Live pictures by name, each a file (WebP) and a caption: the last of each while it runs and afterwards."""
        found: dict[str, tuple[Path, str]] = {}
        row = self._row()
        was_here = self._is_shown or (self.folder / LIVE_FOLDER).exists()
        if row.state == FINISHED and row.reused and row.key and not was_here:
            self._is_shown = True
            with suppress(UserError):  # a result that is lost has no pictures
                self._show(self.session.store.get(row.key))
        for event in self.events(kind="picture"):
            path = Path(event["file"])
            kept = self.folder / LIVE_FOLDER / path.name
            found[event["name"]] = (kept if kept.exists() else path, event["caption"])
        # a result that was reused came without events
        kept_here = sorted((self.folder / LIVE_FOLDER).glob("*.webp"))
        return found or {path.stem: (path, path.stem) for path in kept_here}

    @property
    def warnings(self) -> list[str]:
        """What the job had to say that did not stop it."""
        return [event["message"] for event in self.events(kind="warning")]

"""What a session does with bundles: export jobs for others, go on from theirs."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from spa_widgets.session.bundle.export import Exported, export_bundle
from spa_widgets.session.bundle.looking import copy_new_jobs, project_to_look_at
from spa_widgets.session.bundle.opened import project_of_bundle
from spa_widgets.session.project import Project
from spa_widgets.session.step_methods import attach_steps


class BundleMethods:
    """Base of `Session`: its part that writes and opens bundles."""

    project: Project
    _looked_at: Path | None = None

    if TYPE_CHECKING:  # a session is opened like this

        def __init__(self, path: Path | str, **options: Any) -> None: ...

    def export(
        self,
        path: Path | str,
        jobs: Sequence[Any] = (),
        *,
        micrographs: bool = True,
        stacks: bool = True,
        progress: Callable[[int, int, str], None] = lambda done, total, message: None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> Exported:
        """Write finished jobs, with all that they need and every decision, into one archive for others.

        Parameters
        ----------
        path
            The archive to make, such as ``workshop.spa``.
        jobs
            Jobs to take, with those that they use; all finished ones by default.
        micrographs, stacks
            Whether micrographs and stacks of particles travel too. What is left out is said.
        progress
            Told bytes done, bytes in all, and what is being written.
        is_cancelled
            Asked between pieces; True ends the export, and nothing is left behind.

        Returns
        -------
        Exported
            What was written, its size, and what is missing in it.

        Raises
        ------
        UserError
            If a job is not finished, or the archive cannot be written.
        Cancelled
            If it was cancelled.
        """
        names = [getattr(job, "name", job) for job in jobs]
        target = Path(path).expanduser().absolute()
        return export_bundle(self.project, target, names, micrographs, stacks, progress, is_cancelled)

    @classmethod
    def open_bundle(
        cls, path: Path | str, folder: Path | str | None = None, raw: str | Sequence[str] = (), **options: Any
    ) -> Self:
        """Open a bundle and go on from it: its jobs and decisions are there, its results come out of the archive.

        Parameters
        ----------
        path
            The bundle; it stays where it is, and is read when its files are asked for.
        folder
            Folder of one's own project; by default one of the bundle's name in the current folder. A project that is
            there keeps its jobs, and finds the results of the bundle.
        raw
            Where the micrographs are that the bundle was made without: a folder, or patterns such as ``data/*.mrc``.
        **options
            Further options of `Session`.

        Raises
        ------
        UserError
            If the bundle is damaged, unsafe or of a later version.
        """
        attach_steps()
        return cls(project_of_bundle(path, folder, raw).path, **options)

    @classmethod
    def look_at(cls, path: Path | str) -> Self:
        """Look at another's project, or at a bundle, and change nothing of it.

        Its ended jobs, results, history and decisions are there, every widget opens on them, and nothing is computed.
        What is clicked is forgotten at the end. `refresh` shows the jobs that have ended since.

        Parameters
        ----------
        path
            Folder of a project, which one need not be able to write, or a bundle.

        Raises
        ------
        UserError
            If there is none, or it may not be read.
        """
        attach_steps()
        folder = Path(tempfile.mkdtemp(prefix="spa-look-"))
        try:
            session = cls(project_to_look_at(path, folder).path)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        session._looked_at = Path(path).expanduser().absolute()
        weakref.finalize(session, shutil.rmtree, folder, ignore_errors=True)
        return session

    def refresh(self) -> None:
        """Show what has ended since in a project that one looks at; nothing happens in one's own."""
        if self._looked_at is not None and self._looked_at.is_dir():
            copy_new_jobs(self._looked_at, self.project)

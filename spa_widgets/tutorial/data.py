"""What the tutorial works on: the embedded synthetic data set, or a person's own micrographs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.tutorial import checks
from spa_widgets.tutorial.report import Check, RunReport

SETTINGS_VARIABLE = "SPA_TUTORIAL"
BOX_A = 221.76  # 180 px of 1.232 Å, the workshop's box


@dataclass(frozen=True)
class TutorialSettings:
    """What a run of the tutorial is made of; it travels to the notebook's kernel as JSON.

    Attributes
    ----------
    out : str
        Folder of the run.
    preset : str
        Embedded data set (``small`` or ``workshop``) when no micrographs are given.
    micrographs : str
        Pattern of a person's own micrographs, or empty.
    pixel_size_A, voltage_kv, cs_mm, amplitude_contrast, dose_e_per_A2 : float
        Constants of those micrographs.
    device : str
        ``auto``, ``cpu`` or ``gpu``.
    seed : int
        Seed of the embedded data set.
    """

    out: str = "tutorial-output"
    preset: str = "small"
    micrographs: str = ""
    pixel_size_A: float = 1.232
    voltage_kv: float = 300.0
    cs_mm: float = 1.6
    amplitude_contrast: float = 0.1
    dose_e_per_A2: float = 35.0
    device: str = "auto"
    seed: int = 0

    def to_environment(self) -> dict[str, str]:
        """Return the environment variable that carries the settings to a kernel."""
        return {SETTINGS_VARIABLE: json.dumps(asdict(self))}


def tutorial_data(preset: str = "small") -> TutorialData:
    """Return the data of the tutorial: as ``spa tutorial`` was told, else the embedded set ``preset``."""
    stored = os.environ.get(SETTINGS_VARIABLE)
    settings = TutorialSettings(**json.loads(stored)) if stored else TutorialSettings(preset=preset)
    return TutorialData(settings)


@dataclass
class TutorialData:
    """The data of the tutorial and what is known of them.

    Attributes
    ----------
    settings : TutorialSettings
        What to work on.
    pattern : str
        Pattern of the micrographs; set by `prepare`.
    pixel_size_A, voltage_kv, cs_mm, amplitude_contrast, dose_e_per_A2 : float
        The microscope's constants; those of the embedded set come from `prepare`.
    """

    settings: TutorialSettings
    pattern: str = ""
    truth: Path | None = None
    report_: RunReport = field(default_factory=RunReport)

    def __post_init__(self) -> None:
        """Take the microscope's constants from the settings."""
        self.pixel_size_A = self.settings.pixel_size_A
        self.voltage_kv = self.settings.voltage_kv
        self.cs_mm = self.settings.cs_mm
        self.amplitude_contrast = self.settings.amplitude_contrast
        self.dose_e_per_A2 = self.settings.dose_e_per_A2

    @property
    def out(self) -> Path:
        """Folder of the run."""
        return Path(self.settings.out).absolute()

    @property
    def project(self) -> Path:
        """Folder of the project."""
        return self.out / "project"

    @property
    def is_embedded(self) -> bool:
        """Whether the micrographs are simulated, so that the truth is known."""
        return not self.settings.micrographs

    @property
    def box_px(self) -> int:
        """The workshop's box of 222 Å in px, even."""
        return 2 * round(BOX_A / self.pixel_size_A / 2)

    def prepare(self, session: Any) -> Any:
        """Make the embedded data set as a job, or look at the micrographs that were given.

        Returns
        -------
        Job or Check
            The job of the simulation, or a line about the micrographs.
        """
        if not self.is_embedded:
            return self._own_micrographs()
        job = session.simulate(preset=self.settings.preset, seed=self.settings.seed)
        job.wait()
        folder = job.files["micrographs.star"].parent
        self.pattern = str(folder / "micrographs" / "*.mrc")
        self.truth = folder / "truth"
        self.pixel_size_A = checks.pixel_size_A(job.path("micrographs"))
        return job

    def _own_micrographs(self) -> Check:
        self.pattern = str(Path(self.settings.micrographs).expanduser().absolute())
        found = sorted(Path(self.pattern).parent.glob(Path(self.pattern).name))
        if not found:
            raise UserError(
                f"No file matches {self.settings.micrographs}; expected micrographs in MRC format: check the path."
            )
        return Check("Micrographs", [("micrographs found", len(found), "")])

    def decided_picks(self, by_hand: Mapping[str, Sequence[Sequence[float]]], session: Any, ctf: Any) -> dict[str, Any]:
        """Return the picks made by hand where they belong to these micrographs.

        For a person's own micrographs, 25 blobs on each of the first four are suggested instead: look at them and
        change them in the picker.
        """
        if self.is_embedded and self.settings.preset == "small" and self.settings.seed == 0:
            return {name: [list(place) for place in places] for name, places in by_hand.items()}
        blobs = session.pick_blobs(ctf, diameter_A=160)
        blobs.wait()
        return checks.best_picks(blobs.table("picks"), micrographs=4, each=25)

    def class_count(self, particles: Any) -> int:
        """Number of 2D classes for this many particles: about 30 particles each, 50 classes at most."""
        return max(10, min(50, round(len(particles.table("particles")) / 30)))

    def symmetry_score(self, job: Any, symmetry: str) -> float:
        """Tell how symmetric the first map of a job is about its best axis: 1 is perfect, 0 not at all."""
        return checks.symmetry_score(job.path("volume"), symmetry)

    def check(self, what: str, job: Any, *others: Any) -> Check:
        """Compare a job's result with the truth, or say what it found where no truth is known.

        Parameters
        ----------
        what : str
            ``ctf``, ``picks``, ``classes`` or ``map``.
        job : Job
            The finished job.
        *others : Job
            The extracted particles, for ``classes`` and ``map``.
        """
        if self.truth is None:
            result = Check(
                f"{job.step.title} (no truth is known for these data)", [(k, v, "") for k, v in job.figures.items()]
            )
        else:
            result = checks.CHECKS[what](self.truth, job, *others)
        self.report_.add(what, result)
        return result

    def report(self, session: Any) -> RunReport:
        """Gather times and figures of all jobs, write ``results.json`` and return the table."""
        self.report_.collect(session)
        self.report_.write(self.out / "results.json")
        return self.report_

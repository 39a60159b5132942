"""What a running job sees: parameters, inputs, output folder, and the way to report, checkpoint and be cancelled."""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import namespace
from spa_widgets.errors import UserError
from spa_widgets.session.params import StepParams
from spa_widgets.session.provenance import plain
from spa_widgets.session.whole import new_file, write_whole

if TYPE_CHECKING:
    from engine.mapping import MapAdd
    from engine.particles import Particles

CHECKPOINT = "checkpoint"
_SAID = "said so far"

EventSink = Callable[[dict[str, Any]], None]
Spread = Callable[["JobContext", "Particles", Path], AbstractContextManager["MapAdd"]]
"""Takes the job, its particles and the file that other workers read them from."""


class Cancelled(Exception):
    """Raised inside a job when a person asked to cancel it."""


def _silent(event: dict[str, Any]) -> None:
    """Drop an event: for jobs that nobody follows."""


@dataclass
class JobContext:
    """The surroundings of one running job.

    Attributes
    ----------
    step : str
        Name of the step.
    params : StepParams
        Its validated parameters.
    inputs : mapping of str to Path or sequence of Path
        File of each input given; several for an input of the kind ``files``.
    out : Path
        Empty folder for the results, under the names that the step declares.
    work : Path
        Folder that survives the death of the process: checkpoints and live pictures.
    device : str
        ``"cpu"`` or ``"gpu"``.
    on_event : callable
        Takes each event as a dictionary.
    is_cancelled : callable
        Tells whether the job was cancelled.
    spread : callable or None
        Makes what maps chunks of particles over several workers; see `mapping`.
    """

    step: str
    params: Any
    inputs: Mapping[str, Path | Sequence[Path]]
    out: Path
    work: Path
    device: str = "cpu"
    on_event: EventSink = _silent
    is_cancelled: Callable[[], bool] = lambda: False
    spread: Spread | None = None
    figures: dict[str, Any] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start the clock and make the folders."""
        self._started = time.monotonic()
        self._first_progress: tuple[float, float] | None = None
        self._last_fraction = 0.0
        self.out.mkdir(parents=True, exist_ok=True)
        self.work.mkdir(parents=True, exist_ok=True)

    @property
    def xp(self) -> Any:
        """Array namespace of the job's device."""
        return namespace(self.device)

    def mapping(self, particles: Particles, star: Path) -> AbstractContextManager[MapAdd]:
        """Return a context with what maps chunks of particles and adds their sums, here or on several workers.

        A job that was cancelled stops between two chunks.
        """
        if self.spread is not None:
            return self.spread(self, particles, star)
        from engine.mapping import MapHere

        return nullcontext(MapHere(particles, self.xp, self.check_cancelled))

    def input(self, name: str) -> Path:
        """Return the file of an input.

        Raises
        ------
        UserError
            When it was not given.
        """
        files = self.input_files(name)
        if not files:
            raise UserError(f"{self.step} needs {name} as an input; none was given.")
        return files[0]

    def input_files(self, name: str) -> list[Path]:
        """Return the files of an input of the kind ``files``, sorted by name; empty when none was given."""
        found = self.inputs.get(name, ())
        return [Path(found)] if isinstance(found, str | Path) else [Path(path) for path in found]

    def optional_input(self, name: str) -> Path | None:
        """Return the file of an input that may be left out, or None."""
        files = self.input_files(name)
        return files[0] if files else None

    def rng(self, purpose: str = "") -> np.random.Generator:
        """Return the random generator for the job's seed, the step and a purpose."""
        seed = int(getattr(self.params, "seed", 0))
        digest = hashlib.sha256(f"{self.step}/{purpose}".encode()).digest()
        return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])

    def progress(self, done: float, total: float, message: str = "") -> None:
        """Report progress; the place where a cancelled job stops.

        Raises
        ------
        Cancelled
            When a person cancelled the job.
        """
        self.check_cancelled()
        now = time.monotonic()
        fraction = min(max(done / total, 0.0), 1.0) if total else 0.0
        if self._first_progress is None or fraction < self._last_fraction:
            # what was done before the first report (for example by an earlier attempt) says nothing about speed
            self._first_progress = (now, fraction)
        self._last_fraction = fraction
        begun, start = self._first_progress
        gained = fraction - start
        eta_s = (now - begun) * (1 - fraction) / gained if gained > 0 else None
        self.event("progress", fraction=fraction, message=message, eta_s=eta_s, elapsed_s=now - self._started)

    def check_cancelled(self) -> None:
        """Raise `Cancelled` when a person cancelled the job."""
        if self.is_cancelled():
            raise Cancelled(f"{self.step} was cancelled.")

    def figure(self, name: str, value: Any) -> None:
        """Record a figure of merit; it goes to the report and to the job's events."""
        number = value.item() if hasattr(value, "item") else value
        self.figures[name] = number
        self.event("figure", name=name, value=number)

    def warn(self, sentence: str) -> None:
        """Tell the user something that did not stop the job; once, whatever attempt says it."""
        if sentence in self.warnings:
            return
        self.warnings.append(sentence)
        self.event("warning", message=sentence)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a part of the job."""
        begun = time.monotonic()
        self.event("stage", name=name)
        try:
            yield
        finally:
            self.stages[name] = self.stages.get(name, 0.0) + time.monotonic() - begun

    def event(self, kind: str, **content: Any) -> None:
        """Append an event: anything JSON can hold."""
        self.on_event({"kind": kind, "time": time.time(), **content})

    def picture(self, name: str, image: NDArray[np.uint8], caption: str = "") -> None:
        """Show a uint8 picture ``(h, w)`` while the job runs; a later one of the same name replaces it."""
        from PIL import Image

        buffer = io.BytesIO()
        Image.fromarray(np.asarray(image, np.uint8)).save(buffer, format="WEBP", quality=80, method=2)
        path = self.work / "live" / f"{name}.webp"
        path.parent.mkdir(exist_ok=True)
        write_whole(path, buffer.getvalue())
        self.event("picture", name=name, file=str(path), caption=caption)

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Keep a state of arrays and plain values so that a killed job goes on from here."""
        said = json.dumps(plain({"figures": self.figures, "warnings": self.warnings}))
        self.keep(CHECKPOINT, {**state, _SAID: said})

    def load_checkpoint(self) -> dict[str, Any] | None:
        """Return the last state kept, or None; scalars come back as 0-d arrays."""
        state = self.kept(CHECKPOINT)
        if state is None:
            return None
        said = json.loads(str(state.pop(_SAID, "{}")))
        self.figures = {**said.get("figures", {}), **self.figures}
        self.warnings += [sentence for sentence in said.get("warnings", []) if sentence not in self.warnings]
        return state

    def keep(self, name: str, state: Mapping[str, Any]) -> None:
        """Keep arrays and plain values under a name for a later attempt at this job."""
        arrays = {key: np.asarray(value) for key, value in state.items()}
        if any(array.dtype == object for array in arrays.values()):
            names = [key for key, array in arrays.items() if array.dtype == object]
            raise TypeError(f"A checkpoint holds arrays and plain values only; {', '.join(names)} is neither.")
        path = self.work / f"{name}.npz"
        path.parent.mkdir(exist_ok=True)
        with new_file(path) as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]

    def kept(self, name: str) -> dict[str, Any] | None:
        """Return what an earlier attempt kept under a name, or None; scalars come back as 0-d arrays."""
        path = self.work / f"{name}.npz"
        try:
            with np.load(path, allow_pickle=False) as stored:
                return dict(stored)
        except FileNotFoundError:
            return None
        except (ValueError, EOFError, zipfile.BadZipFile, zlib.error):
            path.unlink()  # damaged on the disk: what it held is made again
            return None


def simple_context(
    step: str, params: StepParams, inputs: Mapping[str, Path], folder: Path, device: str = "cpu"
) -> JobContext:
    """Return a context that runs one job in a folder, without store or runner (for scripts and tests)."""
    return JobContext(step, params, inputs, folder / "out", folder / "work", device)

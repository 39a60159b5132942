"""FSCPlot: FSC curves of jobs, with a mask to try, the Guinier plot and the views of the particles."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import traitlets

from engine.validation.curves import FSCCurves
from spa_widgets.errors import UserError
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.steps.fsc.curves import CURVES, read_job
from spa_widgets.steps.fsc.drawing import THRESHOLD, Drawing
from spa_widgets.steps.fsc.live import DEFAULTS, LiveMaps
from spa_widgets.steps.fsc.style import Style
from spa_widgets.viewers.base import STATIC, Answer, SpaWidget, bundle
from spa_widgets.viewers.encode import PNG, encode
from spa_widgets.viewers.labels import translator

TABS = ("fsc", "guinier", "directions", "orientations")
_OPTIONS = ("mask_threshold", "dilation_A", "soft_edge_A")


class FSCPlot(SpaWidget):
    """Fourier shell correlation curves, drawn by plotly in the page.

    Parameters
    ----------
    *jobs : job or path
        Refinements or FSC jobs, their folders, or ``fsc.csv`` files. Several are compared by line style; masks are
        tried on the first.
    labels : sequence of str, optional
        A name for each.
    curves : sequence of str
        Which to show: no_mask, spherical, loose, tight, corrected.
    threshold : float
        Where the resolution is read, 0.143.
    height : int
        Of the plot, in pixels.
    **options
        ``mask_threshold``, ``dilation_A``, ``soft_edge_A`` of a mask to try; ``tab`` (fsc, guinier, directions,
        orientations); ``language``.
    """

    _esm = bundle("fsc")
    threshold = traitlets.Float(THRESHOLD).tag(sync=True)
    height = traitlets.Int(430).tag(sync=True)
    tab = traitlets.Enum(TABS, "fsc").tag(sync=True)
    mask_threshold = traitlets.Float(DEFAULTS[0], min=0.01, max=0.99).tag(sync=True)
    dilation_A = traitlets.Float(DEFAULTS[1], min=0.0, max=60.0).tag(sync=True)
    soft_edge_A = traitlets.Float(DEFAULTS[2], min=0.0, max=60.0).tag(sync=True)
    own_mask = traitlets.Bool(False).tag(sync=True)
    can_mask = traitlets.Bool(False).tag(sync=True)
    tabs = traitlets.List(traitlets.Unicode(), ["fsc"]).tag(sync=True)
    revision = traitlets.Int(0).tag(sync=True)

    def __init__(
        self, *jobs: Any, labels: Sequence[str] | None = None, curves: Sequence[str] = CURVES, **options: Any
    ) -> None:
        if not jobs:
            raise UserError("there is no FSC to show; give a refinement, an FSC job or fsc.csv")
        wrong = [name for name in curves if name not in CURVES]
        if wrong:
            raise UserError(f"there is no curve {wrong[0]!r}; there are {', '.join(CURVES)}")
        self._sources, self._labels, self._chosen = jobs, list(labels or ()), tuple(curves)
        super().__init__(**options)
        self._given = any(name in options for name in _OPTIONS)
        self._when_ready(jobs, self._load)

    def _load(self) -> None:
        names = [self._labels[i] if i < len(self._labels) else None for i in range(len(self._sources))]
        jobs = [read_job(job, name) for job, name in zip(self._sources, names, strict=True)]
        self._live = LiveMaps(jobs[0])
        self._drawing = Drawing(jobs, self._live, self._chosen)
        self.can_mask = self._live.can_compare
        self.tabs = [
            "fsc",
            *["guinier", "directions"] * self.can_mask,
            *["orientations"] * ("particles" in jobs[0].files),
        ]
        if self._given:
            self.set_mask()

    # ---- what it knows -------------------------------------------------------------------------------------------
    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The curves of each job as a table: resolution_A and a column for each curve."""
        self._need()
        return {job.name: job.table for job in self._drawing.jobs}

    @property
    def resolutions(self) -> dict[str, dict[str, float]]:
        """Resolution in Å of each curve of each job; with a mask tried, of the first job inside that mask."""
        self._need()
        return self._drawing.resolutions(self.threshold)

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """Resolutions in Å (finer, coarser) between which each job's corrected curve crosses, by its standard error."""
        self._need()
        return self._drawing.intervals(self.threshold)

    @property
    def found(self) -> FSCCurves | None:
        """The curves inside the mask that is tried; None without one."""
        self._need()
        return self._live.found

    # ---- gestures ------------------------------------------------------------------------------------------------
    def set_mask(
        self, threshold: float | None = None, dilation_A: float | None = None, soft_edge_A: float | None = None
    ) -> FSCCurves:
        """Try a mask on the first job's half maps: what is not given stays as it is.

        Parameters
        ----------
        threshold : float
            Share of the maximum of the map, low-passed to 15 Å.
        dilation_A, soft_edge_A : float
            The mask is 1 that far from the voxels above the threshold, and falls to 0 over the edge.
        """
        self._need()
        with self._lock:
            for name, value in zip(_OPTIONS, (threshold, dilation_A, soft_edge_A), strict=True):
                if value is not None:
                    setattr(self, name, float(value))
            found = self._live.set_mask(self.mask_threshold, self.dilation_A, self.soft_edge_A)
            self.own_mask = True
            self.revision += 1
            return found

    def reset_mask(self) -> None:
        """Go back to the job's own mask and curves."""
        self._need()
        with self._lock:
            self._live.drop_mask()
            self.mask_threshold, self.dilation_A, self.soft_edge_A = DEFAULTS
            self.own_mask = False
            self.revision += 1

    def save_mask(self, path: str | Path) -> Path:
        """Write the mask shown as an MRC file, for a refinement or the fsc step."""
        self._need()
        mask = self._live.mask()
        if mask is None:
            raise UserError("there is no mask to save; move a slider or call set_mask first")
        write_mrc(path, mask, self._live.pixel_size_A)
        return Path(path)

    def show(self, tab: str) -> None:
        """Show a tab: fsc, guinier, directions or orientations."""
        self._need()
        if tab not in self.tabs:
            raise UserError(f"there is no tab {tab!r} here; there are {', '.join(self.tabs)}")
        self.tab = tab

    def figure(self, tab: str | None = None, dark: bool = False) -> Any:
        """Give a tab as a plotly figure, to change or to save."""
        import plotly.graph_objects as go

        return go.Figure(self._figure(tab or self.tab, self.language, dark)[0])

    def code(self) -> str:
        """Give the plot as Python that reproduces it."""
        parts = ["refined"]
        if self._chosen != CURVES:
            parts.append(f"curves={list(self._chosen)}")
        if self.threshold != THRESHOLD:
            parts.append(f"threshold={self.threshold}")
        if self.own_mask:
            parts += [f"{name}={getattr(self, name):g}" for name in _OPTIONS]
        return f"FSCPlot({', '.join(parts)})"

    # ---- questions from the views --------------------------------------------------------------------------------
    def _figure(self, tab: str, language: str, dark: bool) -> tuple[dict[str, Any], str]:
        """Give a tab's figure and its text for those who do not see it."""
        self._need()
        return self._drawing.figure(tab, self.threshold, Style.of(language, dark))

    def _ask_figure(self, tab: str, language: str, dark: bool) -> dict[str, Any]:
        figure, text = self._figure(tab, language, dark)
        style = Style.of(language, dark)
        rows = self._drawing.rows(self.threshold, style)
        return {"figure": figure, "text": text, "rows": rows, "warning": self._drawing.warning(style)}

    def _ask_mask(self, threshold: float, dilation_A: float, soft_edge_A: float) -> None:
        self.set_mask(threshold, dilation_A, soft_edge_A)

    def _ask_reset(self) -> None:
        self.reset_mask()

    def _ask_sections(self) -> Answer:
        self._need()
        picture = self._live.sections()
        return ({"mime": ""}, []) if picture is None else ({"mime": PNG}, [encode(picture, PNG)])

    def _ask_plotly(self) -> Answer:
        path = STATIC / "plotly.js"
        if not path.exists():
            raise UserError("the widget is not built: run python -m spa_widgets.build_static")
        return {}, [zlib.compress(path.read_bytes(), 6)]

    def static_html(self) -> str:
        """Give the curves as SVG, for reports without a kernel."""
        self._need()
        return self._drawing.svg(self.threshold, translator(self.language))

"""The half maps behind an FSC plot, kept between one mask and the next."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.validation.comparison import HalfMapComparison
from engine.validation.curves import FSCCurves
from engine.validation.directional import ConicalFSC, conical_fsc
from engine.validation.guinier import GuinierFit, sharpening_b_factor
from engine.validation.masks import TIGHT
from engine.validation.orientation import OrientationDistribution, orientation_distribution
from engine.validation.picture import masked_sections
from spa_widgets.errors import UserError
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.volumes import read_mask, read_volume, read_volumes
from spa_widgets.steps.fsc.curves import JobCurves

DEFAULTS = (TIGHT[0], TIGHT[1], TIGHT[2] - TIGHT[1])
"""Threshold as a share of the maximum, dilation and soft edge in Å of the tight mask."""


class LiveMaps:
    """Half maps of a job with what was last computed of them."""

    def __init__(self, job: JobCurves, seed: int = 0) -> None:
        self._job, self._seed = job, seed
        self._comparison: HalfMapComparison | None = None
        self._mask: NDArray[np.float32] | None = None
        self._cones: ConicalFSC | None = None
        self.found: FSCCurves | None = None

    @property
    def can_compare(self) -> bool:
        """Whether the half maps are there."""
        return "half_a" in self._job.files

    def comparison(self) -> HalfMapComparison:
        """Read and transform the half maps, once."""
        if not self.can_compare:
            raise UserError(
                f"no half maps lie beside the curves of {self._job.name}; give a refinement's job or folder"
            )
        if self._comparison is None:
            volumes, pixel_size_A = read_volumes(self._job.files["half_a"], self._job.files["half_b"])
            rng = np.random.default_rng(self._seed)
            self._comparison = HalfMapComparison(volumes[0], volumes[1], pixel_size_A, rng, symmetry=self._job.symmetry)
        return self._comparison

    @property
    def pixel_size_A(self) -> float:
        """Size of the maps' voxels in Å."""
        return self._job.pixel_size_A if self._comparison is None else self._comparison.pixel_size_A

    def set_mask(self, threshold: float, dilation_A: float, soft_edge_A: float) -> FSCCurves:
        """Compare inside a new mask."""
        compared = self.comparison()
        self._cones = None
        self._mask = compared.mask(threshold, dilation_A, dilation_A + soft_edge_A)
        self.found = compared.curves(self._mask, loose=False)
        return self.found

    def drop_mask(self) -> None:
        """Go back to the job's own mask."""
        self._mask, self._cones, self.found = None, None, None

    def mask(self) -> NDArray[np.float32] | None:
        """The mask set here, else the job's."""
        if self._mask is None and "mask" in self._job.files:
            return np.asarray(read_mask(self._job.files["mask"])[0], np.float32)
        return self._mask

    def sections(self) -> NDArray[np.uint8] | None:
        """Central sections of the map with the mask; None where there is no map or no mask."""
        mask = self.mask()
        if mask is None:
            return None
        if self._comparison is not None:
            volume = self._comparison.mean_map()
        elif "map" in self._job.files:
            volume = np.asarray(read_volume(self._job.files["map"])[0], np.float32)
        elif self.can_compare:
            volume = self.comparison().mean_map()
        else:
            return None
        return masked_sections(volume, mask) if volume.shape == mask.shape else None

    def guinier(self) -> GuinierFit:
        """Guinier plot of the mean map inside the mask, to the corrected curve's resolution."""
        compared, mask = self.comparison(), self.mask()
        corrected = self._job.values("corrected") if self.found is None else self.found.curves["corrected"]
        resolution_A = self._job.resolution("corrected", 0.143) if self.found is None else self.found.resolution()
        fsc = corrected if len(corrected) == compared.box_px // 2 + 1 else None
        return sharpening_b_factor(compared.mean_map(), compared.pixel_size_A, resolution_A, fsc, mask=mask)

    def directions(self) -> ConicalFSC:
        """FSC in cones inside the mask, kept until the mask changes."""
        if self._cones is None:
            a, b = self.comparison().halves
            self._cones = conical_fsc(a, b, self.pixel_size_A, self.mask())
        return self._cones

    def orientations(self) -> OrientationDistribution:
        """Views of the job's particles."""
        if "particles" not in self._job.files:
            raise UserError(
                f"no particles lie beside the curves of {self._job.name}; give a refinement's job or folder"
            )
        angles_deg, _ = ParticleSet.read(self._job.files["particles"]).poses()
        return orientation_distribution(angles_deg, self._job.symmetry)

    def table(self) -> pd.DataFrame | None:
        """The curves inside the mask set here, as the job's table."""
        if self.found is None:
            return None
        columns: dict[str, Any] = {"resolution_A": self.found.resolution_A[1:]}
        columns |= {name: curve[1:] for name, curve in self.found.curves.items()}
        return pd.DataFrame({**columns, "randomised": self.found.randomised[1:]})

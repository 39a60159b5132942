"""The motion of one movie as RELION's programs read it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.motion.local import SPACE, TIME
from spa_widgets.io.star import write_star

_GLOBAL_MODEL, _POLYNOMIAL_MODEL = 0, 1


def write_motion_star(
    path: Path,
    motion: Mapping[str, NDArray[Any]],
    voltage_kv: float,
    doses_e_per_A2: tuple[float, float],
    binning: float,
) -> None:
    """Write the tables ``general``, ``global_shift`` and, where there is one, ``local_motion_model``.

    Parameters
    ----------
    path : Path
    motion : mapping
        ``movie``, ``movie_shape`` (f, h, w), ``movie_pixel_A``, ``shifts_A`` (f, 2), ``local_A`` (18, 2), ``local``.
    voltage_kv : float
    doses_e_per_A2 : (float, float)
        Of the whole movie, and before it.
    binning : float
    """
    frames, height, width = (int(n) for n in motion["movie_shape"])
    pixel_A = float(motion["movie_pixel_A"])
    kept = bool(motion["local"])
    general = {
        "rlnImageSizeX": width,
        "rlnImageSizeY": height,
        "rlnImageSizeZ": frames,
        "rlnMicrographMovieName": str(motion["movie"]),
        "rlnMicrographBinning": binning,
        "rlnMicrographOriginalPixelSize": pixel_A,
        "rlnMicrographDoseRate": doses_e_per_A2[0] / frames,
        "rlnMicrographPreExposure": doses_e_per_A2[1],
        "rlnVoltage": voltage_kv,
        "rlnMicrographStartFrame": 1,
        "rlnMotionModelVersion": _POLYNOMIAL_MODEL if kept else _GLOBAL_MODEL,
    }
    # RELION writes what brings a frame back, where ours is where the specimen has gone
    shifts_px = -np.asarray(motion["shifts_A"]) / pixel_A
    tables = {
        "general": pd.DataFrame({name: [value] for name, value in general.items()}),
        "global_shift": pd.DataFrame(
            {
                "rlnMicrographFrameNumber": np.arange(frames) + 1,
                "rlnMicrographShiftX": shifts_px[:, 0],
                "rlnMicrographShiftY": shifts_px[:, 1],
            }
        ),
    }
    if kept:
        # RELION: all of x, then all of y; for each term in space its powers of time
        coefficients = (-np.asarray(motion["local_A"]) / pixel_A).reshape(TIME, SPACE, 2).transpose(2, 1, 0).ravel()
        tables["local_motion_model"] = pd.DataFrame(
            {"rlnMotionModelCoeffsIdx": np.arange(coefficients.size), "rlnMotionModelCoeff": coefficients}
        )
    write_star(path, tables)

"""Fits of sets of micrographs with known CTF: full-size ones, and difficult ones of every kind."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from engine.ctf.estimate import estimate_ctf
from engine.ctf.fit_patch import evaluate_surface
from engine.ctf.result import CtfFit, CtfSettings
from tests.benchmarks.ctf_bound import bound
from tests.benchmarks.ctf_draws import random_case, standard_case, steep_case
from tests.benchmarks.ctf_micrographs import CtfCase, make_micrograph

GROSS_SHARE = 0.1
FLAGGED_BELOW = 0.5
_KNOWABLE_GAIN = 40.0
_LINE = np.linspace(-1, 1, 21)


@dataclass(frozen=True)
class Outcome:
    """One fit against the truth; lengths in Å, `angle_deg` in degrees, `cpu_s` of fit and patches together."""

    case: CtfCase
    defocus_A: float
    astigmatism_A: float
    angle_deg: float
    local_A: float
    confidence: float
    fit_resolution_A: float
    stated_A: float
    bound_A: float
    bound_astigmatism_A: float
    gain: float
    cpu_s: float

    @property
    def gross(self) -> bool:
        """Whether the mean defocus is wrong by more than a tenth."""
        return abs(self.defocus_A) > GROSS_SHARE * self.case.mean_A


def standard_set(seed: int, count: int) -> list[Outcome]:
    """Full-size micrographs at the default settings."""
    return [_outcome(standard_case, seed, i) for i in range(count)]


def steep_set(seed: int, count: int) -> list[Outcome]:
    """Full-size micrographs with a strong tilt, some with a strong astigmatism, at the default settings."""
    return [_outcome(steep_case, seed, i) for i in range(count)]


def random_set(seed: int, first: int, last: int) -> list[Outcome]:
    """Difficult micrographs; the search goes from 2,000 to 60,000 Å, phase shifts are searched where there is one."""
    return [_outcome(random_case, seed, i, min_defocus_A=2e3, max_defocus_A=6e4) for i in range(first, last)]


def _outcome(draw: Callable[[np.random.Generator], CtfCase], seed: int, index: int, **ranges: float) -> Outcome:
    rng = np.random.default_rng([seed, index])
    case = draw(rng)
    image = make_micrograph(case, rng)
    settings = CtfSettings(fit_phase_shift=case.phase_shift_deg != 0, **ranges)  # type: ignore[arg-type]
    start = time.process_time()
    fit = estimate_ctf(image, case.pixel_size_A, case.optics, settings)
    return _judged(case, fit, time.process_time() - start)


def _judged(case: CtfCase, fit: CtfFit, cpu_s: float) -> Outcome:
    def vector(size: float, angle_deg: float) -> complex:
        return complex(size * np.exp(2j * np.deg2rad(angle_deg)))

    astigmatism = abs(vector(fit.astigmatism_A, fit.angle_deg) - vector(case.astigmatism_A, case.angle_deg))
    error = fit.mean_defocus_A - case.mean_A
    y, x = _LINE[:, None], _LINE
    local = error + evaluate_surface(fit.surface, x, y) - evaluate_surface(np.array(case.surface_A), x, y)
    least = bound(case)
    return Outcome(
        case,
        error,
        astigmatism,
        (fit.angle_deg - case.angle_deg + 90) % 180 - 90,
        float(np.sqrt(np.mean(local**2))),
        fit.confidence,
        fit.fit_resolution_A,
        fit.error_A,
        least["mean_A"],
        least["astigmatism_A"],
        least["gain"],
        cpu_s,
    )


def standard_figures(found: list[Outcome]) -> dict[str, float]:
    """Errors of full-size micrographs."""
    angles = [abs(o.angle_deg) for o in found if o.case.astigmatism_A >= 200]
    errors = np.array([[abs(o.defocus_A), o.astigmatism_A, o.local_A, o.cpu_s] for o in found])
    return {
        "mean defocus error, Å": float(errors[:, 0].mean()),
        "worst, Å": float(errors[:, 0].max()),
        "astigmatism error, Å": float(errors[:, 1].mean()),
        "worst astigmatism error, Å": float(errors[:, 1].max()),
        "worst angle error (astigmatism ≥ 200 Å), °": max(angles, default=float("nan")),
        "local defocus RMS, Å": float(errors[:, 2].mean()),
        "worst local defocus RMS, Å": float(errors[:, 2].max()),
        "mean defocus error at the Cramér–Rao bound, Å": float(
            np.sqrt(2 / np.pi) * np.mean([o.bound_A for o in found])
        ),
        "astigmatism error at the bound, Å": float(np.mean([o.bound_astigmatism_A for o in found])),
        "CPU s with patches": float(errors[:, 3].mean()),
    }


def random_figures(found: list[Outcome]) -> dict[str, float]:
    """Failures of difficult micrographs, how well they are told apart, and the errors of the others."""
    gross = np.array([o.gross for o in found])
    sure = np.array([o.confidence >= FLAGGED_BELOW for o in found])
    good = [o for o in found if o.gain > _KNOWABLE_GAIN and not o.gross]
    ratio = np.array([[abs(o.defocus_A) / o.bound_A, o.astigmatism_A / o.bound_astigmatism_A] for o in good])
    return {
        "micrographs": len(found),
        "gross failures": int(gross.sum()),
        "gross failures not flagged": int((gross & sure).sum()),
        "gross failures with enough signal (expected gain > 40)": sum(
            o.gross and o.gain > _KNOWABLE_GAIN for o in found
        ),
        "right but flagged, with enough signal": sum(o.confidence < FLAGGED_BELOW for o in good),
        "right but flagged, all": sum(o.confidence < FLAGGED_BELOW for o in found if not o.gross),
        "largest confidence of a failure": max((o.confidence for o in found if o.gross), default=0.0),
        "finest fit resolution of a failure, Å": min((o.fit_resolution_A for o in found if o.gross), default=np.inf),
        "chance that a right fit has more confidence than a failure": _ranking([o.confidence for o in found], gross),
        "chance that a right fit has a finer fit resolution": _ranking([-o.fit_resolution_A for o in found], gross),
        "micrographs with enough signal": len(good),
        "their mean defocus error, Å": float(np.mean([abs(o.defocus_A) for o in good])),
        "their error in units of the bound (robust deviation)": float(1.4826 * np.median(ratio[:, 0])),
        "their astigmatism error in units of the bound (median over median)": float(np.median(ratio[:, 1]) / 0.94),
        "CPU s with patches": float(np.mean([o.cpu_s for o in found])),
    }


def _ranking(score: list[float], gross: np.ndarray) -> float:
    """Share of pairs of a right fit and a failure that a score puts in the right order."""
    right, wrong = int((~gross).sum()), int(gross.sum())
    if not right or not wrong:
        return float("nan")
    return float((rankdata(score)[~gross].sum() - right * (right + 1) / 2) / (right * wrong))

"""Defocus of twelve real spectra against the values of another program."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.ctf.estimate import fit_spectrum
from engine.optics import Optics
from spa_widgets.io.star import read_star


def test_real_spectra_agree_with_the_reference(shared_data: Path):
    folder = shared_data / "betagal"
    table = read_star(folder / "ctf_reference.star")["micrographs"]
    differences, astigmatic, angles = [], [], []
    with np.load(folder / "amplitude_spectra_512_1.39955A.npz") as spectra:
        for name in spectra:
            stem = name.removesuffix("_PS")
            row = table[table["rlnMicrographName"].str.contains(stem)].iloc[0]
            fit = fit_spectrum(spectra[name].astype(np.float32), 1.39955, Optics(200.0, 1.4, 0.1))
            differences.append(fit.mean_defocus_A - 0.5 * (row["rlnDefocusU"] + row["rlnDefocusV"]))
            astigmatic.append(fit.astigmatism_A - row["rlnCtfAstigmatism"])
            angles.append((fit.angle_deg - row["rlnDefocusAngle"] + 90) % 180 - 90)
            assert fit.confidence > 0.5
            assert fit.fit_resolution_A < 5.5
    mean, worst = np.abs(differences).mean(), np.abs(differences).max()
    print(f"mean defocus differs by {mean:.1f} Å on average, {worst:.1f} Å at most; astigmatism by")
    print(f"{np.abs(astigmatic).mean():.1f} Å, its angle by {np.abs(angles).mean():.1f}°")
    assert len(differences) == 12
    assert mean < 25
    assert worst < 60
    assert np.abs(astigmatic).mean() < 60
    assert np.abs(angles).mean() < 5

"""Central slices against projections made another way: RELION's own, and atoms summed in real space."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest
import starfile
from numpy.typing import NDArray

from engine.fourier.disc import HalfDisc
from engine.fourier.transforms import irfft2_centred, rfft2_centred
from engine.geometry import euler_to_matrix, random_rotations
from engine.reconstruction.fourier_volume import extract_slices, fourier_volume
from engine.simulation.phantom import channel
from engine.simulation.projection import density, project_atoms


def correlation(a: NDArray, b: NDArray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


@pytest.mark.parametrize("kind", ["centered", "shifted"])
def test_projections_agree_with_relion(shared_data: Path, kind: str) -> None:
    volume = mrcfile.read(shared_data / "formats/clean70SRibosome_vol_65p.mrc")[:64, :64, :64]
    table = starfile.read(shared_data / f"formats/rln_proj_64_{kind}.star")["particles"]
    expected = mrcfile.read(shared_data / f"formats/rln_proj_64_{kind}.mrcs")
    disc = HalfDisc(64, 31)
    rotations = euler_to_matrix(table[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]].to_numpy())
    slices = extract_slices(fourier_volume(volume.astype(np.float32)), rotations, disc)
    if kind == "shifted":
        # RELION's origin centres the image, so the projection stands at minus the origin
        origin = table[["rlnOriginX", "rlnOriginY"]].to_numpy(np.float32)
        slices = slices * disc.phase_ramps(-origin)
    images = irfft2_centred(disc.scatter(slices), (64, 64))
    worst = min(correlation(a, b) for a, b in zip(images, expected, strict=True))
    print(f"{kind}: worst correlation with RELION {worst:.4f}")
    assert worst > 0.99  # the volume was cropped from 65 to 64 voxels, which costs half a per cent


def test_slices_agree_with_projected_atoms(rng: np.random.Generator) -> None:
    box_px, pixel_size_A = 48, 4.4
    atoms = channel()
    rotations = random_rotations(6, rng)
    offsets_A = rng.uniform(-6, 6, (6, 2))
    images = project_atoms(atoms, rotations, offsets_A, box_px, pixel_size_A)
    disc = HalfDisc(box_px, 20)
    expected = disc.gather(rfft2_centred(images))
    # a projection sums along the view in voxels, a simulated image in Å
    volume = fourier_volume(density(atoms, box_px, pixel_size_A) * np.float32(pixel_size_A), radius_px=20)
    slices = extract_slices(volume, rotations, disc) * disc.phase_ramps((offsets_A / pixel_size_A).astype(np.float32))
    error = np.linalg.norm(slices - expected, axis=1) / np.linalg.norm(expected, axis=1)
    print(f"relative error of slices: {error.max():.4f}")
    assert error.max() < 0.03


def test_a_prefix_of_the_disc_is_a_lower_resolution(rng: np.random.Generator) -> None:
    volume = fourier_volume(rng.standard_normal((24, 24, 24)).astype(np.float32), radius_px=10)
    disc = HalfDisc(24, 10)
    rotations = random_rotations(3, rng)
    count = disc.count_within(6)
    whole = extract_slices(volume, rotations, disc)
    assert np.array_equal(extract_slices(volume, rotations, disc, count), whole[:, :count])


def test_slices_beyond_the_volume_are_refused(rng: np.random.Generator) -> None:
    volume = fourier_volume(np.ones((24, 24, 24), np.float32), radius_px=6)
    with pytest.raises(ValueError, match="larger radius_px"):
        extract_slices(volume, random_rotations(1, rng), HalfDisc(24, 10))
    with pytest.raises(ValueError, match="expected a cube"):
        fourier_volume(np.ones((24, 24, 12), np.float32))


@pytest.mark.parametrize("box_px", [32, 33])
def test_a_disc_by_ring_has_the_same_coefficients_in_whole_rings(box_px: int) -> None:
    by_radius, by_ring = (HalfDisc(box_px, (box_px - 1) / 2, by_ring=ring) for ring in (False, True))
    assert set(zip(by_ring.kx, by_ring.ky, strict=True)) == set(zip(by_radius.kx, by_radius.ky, strict=True))
    assert by_ring.count_within(by_ring.radius_px) == len(by_ring)
    for radius_px in (5, 7.4, 12):
        count = by_ring.count_within(radius_px)
        assert count == by_radius.count_within(int(radius_px))
        assert by_ring.radius[:count].max() <= int(radius_px) < by_ring.radius[count:].min()
    # a step along the vector is a step to a neighbour in the plane, except from one ring to the next
    steps = np.hypot(np.diff(by_ring.kx.astype(float)), np.diff(by_ring.ky.astype(float)))
    assert np.median(steps) < 1.5

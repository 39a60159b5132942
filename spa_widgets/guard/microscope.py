"""Pixel size, voltage and lens against what microscopes and files say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

_PIXEL_SIZE_TOLERANCE = 0.01
_VOLTAGES_KV = (60.0, 80.0, 100.0, 120.0, 160.0, 200.0, 300.0, 400.0, 1000.0)
_VOLTAGE_TOLERANCE = 0.02
# below the first a corrector is at work; between the two lies no lens that proteins are imaged with
_CORRECTED_MM, _LEAST_CS_MM, _LARGEST_CS_MM = 0.1, 0.9, 6.5
_LEAST_CONTRAST, _LARGEST_CONTRAST = 0.02, 0.25
# (longer, shorter side in px) of frames with four pixels for each of the detector's
_SUPER_RESOLUTION = {(7676, 7420): "K2", (11520, 8184): "K3"}
_LARGE_FOR_SUPER_RESOLUTION_A = 0.9
_LEAST_PIXEL_A = 0.25


def optics_warnings(voltage_kv: float, cs_mm: float, amplitude_contrast: float) -> list[str]:
    """Return what is unusual about a microscope's constants."""
    found = []
    if not any(abs(voltage_kv - usual) <= _VOLTAGE_TOLERANCE * usual for usual in _VOLTAGES_KV):
        found.append(
            f"A voltage of {voltage_kv:g} kV is given, and no usual microscope has it (most have 200 or 300 kV); the "
            "wavelength follows from it and every defocus with it: look it up in the records of the session."
        )
    if cs_mm < 0 or cs_mm > _LARGEST_CS_MM or _CORRECTED_MM <= cs_mm < _LEAST_CS_MM:
        found.append(
            f"A spherical aberration of {cs_mm:g} mm is given, and usual lenses have 1.2 to 4.1 mm; the CTF beyond "
            "about 5 Å depends on it: take it from the microscope's data sheet."
        )
    elif cs_mm == 0:
        found.append(
            "A spherical aberration of 0 mm is given, which only a microscope with a Cs corrector has; the CTF beyond "
            "about 5 Å depends on it: without a corrector take it from the microscope's data sheet."
        )
    if not _LEAST_CONTRAST <= amplitude_contrast <= _LARGEST_CONTRAST:
        found.append(
            f"An amplitude contrast of {amplitude_contrast:g} is given, and proteins in ice have 0.07 to 0.1; the "
            "phase of the CTF and the defocus shift with it: give 0.1 unless you know better."
        )
    return found


def micrograph_warnings(
    files: Sequence[Path], shapes: Sequence[tuple[int, int]], header_sizes_A: Sequence[float], pixel_size_A: float
) -> list[str]:
    """Return what the headers of micrographs say against what was given.

    Parameters
    ----------
    files : sequence of Path
    shapes : sequence of (int, int)
        ``(h, w)`` of each.
    header_sizes_A : sequence of float
        Pixel size in each header; 0 stands for none.
    pixel_size_A : float
        The given one.
    """
    found = _other_shapes(shapes) + _small_pixels(pixel_size_A)
    found += _other_pixel_sizes([path.name for path in files], header_sizes_A, pixel_size_A)
    height, width = Counter(shapes).most_common(1)[0][0]
    detector = _SUPER_RESOLUTION.get((max(height, width), min(height, width)))
    if detector and pixel_size_A > _LARGE_FOR_SUPER_RESOLUTION_A:
        found.append(
            f"The micrographs have {width} × {height} px, the super-resolution format of the {detector}, and "
            f"{pixel_size_A:g} Å per pixel is what its physical pixels usually have; all lengths would be doubled: "
            f"give {pixel_size_A / 2:g} Å unless the images were not binned and this is their own size."
        )
    return found


def _small_pixels(pixel_size_A: float) -> list[str]:
    if pixel_size_A >= _LEAST_PIXEL_A:
        return []
    return [
        f"A pixel size of {pixel_size_A:g} Å is given, smaller than those of microscopes, as if it were in nm; every "
        f"length follows from it: give {10 * pixel_size_A:g} if it is {pixel_size_A:g} nm."
    ]


def _other_shapes(shapes: Sequence[tuple[int, int]]) -> list[str]:
    counts = Counter(shapes)
    if len(counts) == 1:
        return []
    listed = ", ".join(f"{count} of {width} × {height} px" for (height, width), count in counts.most_common())
    return [f"The micrographs differ in size ({listed}); they may come from different detectors or settings."]


def _other_pixel_sizes(names: Sequence[str], sizes_A: Sequence[float], given_A: float) -> list[str]:
    """Headers that state no pixel size, or 1 Å as many programs do, say nothing."""
    differ = [
        (name, size)
        for name, size in zip(names, sizes_A, strict=True)
        if size not in (0.0, 1.0) and abs(size - given_A) > _PIXEL_SIZE_TOLERANCE * given_A
    ]
    if not differ:
        return []
    name, size = differ[0]
    binned = next((factor for factor in (2, 4) if _near(size, factor * given_A) or _near(given_A, factor * size)), 0)
    why = f" (a factor of {binned}: is one the size before binning?)" if binned else ""
    return [
        f"The header of {name} states {size:g} Å per pixel, {given_A:g} Å was given{why} "
        f"({len(differ)} of {len(names)} files differ); the given value "
        "is used: make sure that it is that of these micrographs."
    ]


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= _PIXEL_SIZE_TOLERANCE * other

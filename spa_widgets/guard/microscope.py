"""Pixel size, voltage and lens against what microscopes and files say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from spa_widgets.guard.detectors import format_warnings
from spa_widgets.guard.finding import Finding

_PIXEL_SIZE_TOLERANCE = 0.01
_VOLTAGES_KV = (60.0, 80.0, 100.0, 120.0, 160.0, 200.0, 300.0, 400.0, 1000.0)
_VOLTAGE_TOLERANCE = 0.02
# below the first a corrector is at work; between the two lies no lens that proteins are imaged with
_CORRECTED_MM, _LEAST_CS_MM, _LARGEST_CS_MM = 0.1, 0.9, 6.5
_LEAST_CONTRAST, _LARGEST_CONTRAST, _USUAL_CONTRAST = 0.02, 0.25, 0.1
_LEAST_PIXEL_A = 0.25


def optics_warnings(voltage_kv: float, cs_mm: float, amplitude_contrast: float) -> list[Finding]:
    """Return what is unusual about a microscope's constants."""
    found = []
    if not any(abs(voltage_kv - usual) <= _VOLTAGE_TOLERANCE * usual for usual in _VOLTAGES_KV):
        found.append(Finding("voltage", voltage_kv=voltage_kv))
    if cs_mm < 0 or cs_mm > _LARGEST_CS_MM or _CORRECTED_MM <= cs_mm < _LEAST_CS_MM:
        found.append(Finding("cs", cs_mm=cs_mm))
    elif cs_mm == 0:
        found.append(Finding("cs_zero"))
    if not _LEAST_CONTRAST <= amplitude_contrast <= _LARGEST_CONTRAST:
        fix = {"amplitude_contrast": _USUAL_CONTRAST}
        found.append(Finding("amplitude_contrast", fix, amplitude_contrast=amplitude_contrast))
    return found


def micrograph_warnings(
    files: Sequence[Path], shapes: Sequence[tuple[int, int]], header_sizes_A: Sequence[float], pixel_size_A: float
) -> list[Finding]:
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
    if found and found[-1].key == "small_pixels":  # said already
        return found
    return found + format_warnings(*Counter(shapes).most_common(1)[0][0], pixel_size_A)


def _small_pixels(pixel_size_A: float) -> list[Finding]:
    if pixel_size_A >= _LEAST_PIXEL_A:
        return []
    tenfold_A = round(10 * pixel_size_A, 6)
    fix = {"pixel_size_A": tenfold_A}
    return [Finding("small_pixels", fix, pixel_size_A=pixel_size_A, tenfold_A=tenfold_A)]


def _other_shapes(shapes: Sequence[tuple[int, int]]) -> list[Finding]:
    counts = Counter(shapes)
    if len(counts) == 1:
        return []
    listed = ", ".join(f"{count} of {width} × {height} px" for (height, width), count in counts.most_common())
    return [Finding("shapes", listed=listed)]


def _other_pixel_sizes(names: Sequence[str], sizes_A: Sequence[float], given_A: float) -> list[Finding]:
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
    # what the headers say in one voice can be taken over
    fix = {"pixel_size_A": round(size, 6)} if len({round(each, 3) for each in sizes_A}) == 1 else None
    about = {"name": name, "header_A": size, "given_A": given_A, "count": len(differ), "total": len(names)}
    return [Finding("header_binned", fix, factor=binned, **about) if binned else Finding("header", fix, **about)]


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= _PIXEL_SIZE_TOLERANCE * other

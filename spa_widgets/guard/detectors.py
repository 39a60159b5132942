"""Formats of the field's detectors: what the size of an image says about its pixel size.

Counts and sizes of pixels are those that the makers publish. Formats that several detectors share tell nothing but
the range of magnifications that all of them allow.
"""

from __future__ import annotations

from dataclasses import dataclass

from spa_widgets.guard.finding import Finding

LEAST_MAGNIFICATION, MOST_MAGNIFICATION = 12_000, 500_000
# with finer pixels than this a detector works at magnifications of super-resolution too
_LARGE_FOR_SUPER_RESOLUTION_A = 0.9


@dataclass(frozen=True)
class Detector:
    """A detector.

    Attributes
    ----------
    name : str
    longer_px, shorter_px : int
        Its physical pixels.
    pixel_um : float
        Size of one.
    splits : bool
        Writes images with four pixels for each physical one, too (super-resolution, twice up-sampled EER).
    """

    name: str
    longer_px: int
    shorter_px: int
    pixel_um: float
    splits: bool = False


DETECTORS = (
    Detector("K2", 3838, 3710, 5.0, splits=True),
    Detector("K3", 5760, 4092, 5.0, splits=True),
    Detector("Falcon 3 or 4", 4096, 4096, 14.0, splits=True),
    Detector("Ceta 16M", 4096, 4096, 14.0),
    Detector("OneView", 4096, 4096, 15.0),
    Detector("Rio 16", 4096, 4096, 9.0),
    Detector("TemCam-XF416", 4096, 4096, 15.5),
    Detector("Apollo", 4096, 4096, 8.0, splits=True),
    Detector("DE-12", 4096, 3072, 6.0),
    Detector("DE-16", 4096, 4096, 6.5),
    Detector("DE-20", 5120, 3840, 6.4),
    Detector("DE-64", 8192, 8192, 6.5),
)


def format_warnings(height: int, width: int, pixel_size_A: float, fix: str = "pixel_size_A") -> list[Finding]:
    """Return what the size of images says against their pixel size.

    Parameters
    ----------
    height, width : int
    pixel_size_A : float
    fix : str
        Parameter that holds the pixel size.
    """
    longer, shorter = max(height, width), min(height, width)
    about = {"width": width, "height": height, "pixel_size_A": pixel_size_A}
    physical = [each for each in DETECTORS if (each.longer_px, each.shorter_px) == (longer, shorter)]
    split = [
        each for each in DETECTORS if each.splits and (2 * each.longer_px, 2 * each.shorter_px) == (longer, shorter)
    ]
    if split and not physical and pixel_size_A > _LARGE_FOR_SUPER_RESOLUTION_A:
        half_A = pixel_size_A / 2
        return [Finding("super_resolution", {fix: half_A}, detector=split[0].name, half_A=half_A, **about)]
    sizes_um = {each.pixel_um: each.name for each in physical} | {each.pixel_um / 2: each.name for each in split}
    found = {size: size * 1e4 / pixel_size_A for size in sizes_um}
    if not found or any(LEAST_MAGNIFICATION <= each <= MOST_MAGNIFICATION for each in found.values()):
        return []
    size_um = next(iter(found))
    limits = {"least": LEAST_MAGNIFICATION, "most": MOST_MAGNIFICATION}
    return [
        Finding(
            "magnification", detector=sizes_um[size_um], physical_um=size_um, magnification=found[size_um],
            **limits, **about,
        )
    ]  # fmt: skip

"""Box and pixel size of the images: one for all, whatever the pixel sizes of the micrographs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.extraction.boxes import default_box_px, even_px, window_px
from engine.extraction.extract import ExtractSettings
from spa_widgets.errors import UserError
from spa_widgets.session.context import JobContext


@dataclass(frozen=True)
class ImageSizes:
    """What the images come to, and how they are cut from each micrograph.

    Attributes
    ----------
    box_px : int
    pixel_size_A : float
    settings : mapping of int to ExtractSettings
        By index of the micrograph.
    """

    box_px: int
    pixel_size_A: float
    settings: Mapping[int, ExtractSettings]


def image_sizes(ctx: JobContext, pixel_sizes_A: Mapping[int, float]) -> ImageSizes:
    """Choose the images' sizes: the given box counts pixels of the coarsest micrographs, and all others follow.

    Raises
    ------
    UserError
        When the given sizes do not go together.
    """
    distinct_A = sorted(set(pixel_sizes_A.values()))
    for what, side_px in (("box", ctx.params.box_px), ("Fourier-cropped box", ctx.params.crop_px)):
        if side_px and side_px != even_px(side_px):
            ctx.warn(
                f"A {what} of {side_px} px is odd, and {even_px(side_px)} px are taken: RELION and others cut even "
                "boxes only."
            )
    try:
        settings = _settings_by_size(ctx.params, distinct_A)
    except ValueError as error:
        raise UserError(str(error)) from error
    coarsest = settings[distinct_A[-1]]
    images = ImageSizes(
        coarsest.output_px,
        distinct_A[-1] * coarsest.box_px / coarsest.output_px,
        {index: settings[size_A] for index, size_A in pixel_sizes_A.items()},
    )
    if len(distinct_A) > 1:
        ctx.warn(
            f"The micrographs have pixel sizes of {', '.join(f'{size_A:g}' for size_A in distinct_A)} Å; all particles "
            f"are written as {images.box_px} px of {images.pixel_size_A:g} Å, and the box counts pixels of "
            f"{distinct_A[-1]:g} Å: extract the finer micrographs alone to go beyond {2 * images.pixel_size_A:g} Å."
        )
    return images


def _settings_by_size(params: Any, distinct_A: list[float]) -> dict[float, ExtractSettings]:
    """Settings for each pixel size, the coarsest last."""
    coarsest_A = distinct_A[-1]
    box_px = even_px(params.box_px or default_box_px(params.diameter_A, coarsest_A))
    crop_px = even_px(params.crop_px) if params.crop_px else None
    output_px = crop_px or box_px
    found = {}
    for size_A in distinct_A:
        ratio = None if size_A == coarsest_A else coarsest_A * box_px / output_px / size_A
        found[size_A] = ExtractSettings(
            box_px=box_px if ratio is None else window_px(output_px, ratio),
            particle_radius_px=0.5 * params.diameter_A / size_A,
            crop_px=crop_px if ratio is None else output_px,
            invert=params.invert,
            normalise=params.normalise,
            ramp=params.ramp,
            outlier_sigma=params.outlier_sigma,
            ratio=ratio,
        )
    return found

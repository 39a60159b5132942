"""What is simulated: the microscope, the ice and how many of what lie in it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from engine.optics import Optics

OBJECT_KINDS = ("particle", "empty_nanodisc", "aggregate", "ice")
"""Kinds of objects; truth tables name them by these words."""


@dataclass(frozen=True)
class MicrographSettings:
    """Everything that makes a set of micrographs, but the particle and the seed.

    Attributes
    ----------
    count : int
        Number of micrographs.
    shape : (int, int)
        Height and width in px.
    pixel_size_A : float
    optics : Optics
    dose_e_per_A2 : float
        Electrons per Å² that reach the specimen.
    dqe : float
        Share of the electrons that the detector counts, the same at all frequencies.
    contrast : float
        Share of the weak-phase contrast that inelastic scattering and radiation damage leave.
    defocus_range_A : (float, float)
        Range that the micrographs' mean defocus covers evenly.
    astigmatism_A : float
        Largest difference of the two defoci.
    surface_A : float
        Largest departure of the ice surface from its mean height, by tilt; curvature adds up to a third of it.
    height_spread_A : float
        Standard deviation of a particle's height about the ice surface.
    envelope_B_A2 : float
        B-factor of motion, coherence and specimen together: amplitudes fall as exp(-B k² / 4).
    ice_thickness_A : float
        Ice whose structural noise is seen.
    ramp : float
        Largest relative departure of the background from its mean, by uneven ice.
    objects_per_micrograph : int
        Mean number of objects; single micrographs differ by up to 15 %.
    kind_fractions : tuple of float
        Shares of the `OBJECT_KINDS`; they add up to 1.
    spacing_A : float
        Least distance of two objects; one in twenty may come as near as two thirds of it.
    margin_A : float
        Least distance of an object's centre from the edge of the micrograph.
    box_A : float
        Box that the particle's true map is given in.
    """

    count: int
    shape: tuple[int, int]
    pixel_size_A: float
    optics: Optics = field(default_factory=lambda: Optics(300.0, 1.6, 0.1))
    dose_e_per_A2: float = 35.0
    dqe: float = 0.45
    contrast: float = 0.62
    defocus_range_A: tuple[float, float] = (8e3, 22e3)
    astigmatism_A: float = 400.0
    surface_A: float = 150.0
    height_spread_A: float = 20.0
    envelope_B_A2: float = 90.0
    ice_thickness_A: float = 400.0
    ramp: float = 0.04
    objects_per_micrograph: int = 55
    kind_fractions: tuple[float, ...] = (0.70, 0.20, 0.06, 0.04)
    spacing_A: float = 170.0
    margin_A: float = 115.0
    box_A: float = 222.0

    def __post_init__(self) -> None:
        """Refuse settings that no micrograph can be made with."""
        if self.count < 1 or min(self.shape) < 64:
            raise ValueError(f"expected micrographs of at least 64 px a side, got {self.count} of {self.shape}")
        if not self.pixel_size_A > 0 or not self.dose_e_per_A2 > 0 or not 0 < self.dqe <= 1:
            raise ValueError("pixel size and dose must be positive and the DQE between 0 and 1")
        if len(self.kind_fractions) != len(OBJECT_KINDS) or abs(sum(self.kind_fractions) - 1) > 1e-6:
            raise ValueError(f"shares of {', '.join(OBJECT_KINDS)} must add up to 1, got {self.kind_fractions}")


SMALL = MicrographSettings(count=12, shape=(1024, 1024), pixel_size_A=2.464, envelope_B_A2=170.0)
"""A dozen small micrographs for a laptop: about 660 objects, 30 % of them junk.

The envelope ends the signal near 6 Å, so that a reconstruction is limited by its images and not by their pixels."""

WORKSHOP = MicrographSettings(
    count=50,
    shape=(3838, 3710),
    pixel_size_A=1.232,
    surface_A=250.0,
    objects_per_micrograph=540,
    spacing_A=150.0,
    margin_A=0.0,
)
"""The geometry of the 50 micrographs of EMPIAR-10291: about 27,000 objects."""

PRESETS = {"small": SMALL, "workshop": WORKSHOP}


def preset(name: str, **changes: object) -> MicrographSettings:
    """Return the settings of a preset, some of them changed.

    Raises
    ------
    ValueError
        If there is no such preset.
    """
    if name not in PRESETS:
        raise ValueError(f"no preset {name!r}; there are {', '.join(PRESETS)}")
    return replace(PRESETS[name], **changes)  # type: ignore[arg-type]


def share_of_kinds(junk_fraction: float) -> tuple[float, ...]:
    """Shares of the `OBJECT_KINDS` for a share of junk: two thirds of it nanodiscs, the rest aggregates and ice.

    Raises
    ------
    ValueError
        If the share is not from 0 up to less than 1.
    """
    if not 0 <= junk_fraction < 1:
        raise ValueError(f"share of junk must lie between 0 and 1, got {junk_fraction}")
    nanodiscs, aggregates = junk_fraction * 2 / 3, junk_fraction / 5
    return (1 - junk_fraction, nanodiscs, aggregates, junk_fraction - nanodiscs - aggregates)


def box_px(settings: MicrographSettings) -> int:
    """Side in px, an even number, of the box that the particle's true map is given in."""
    return 2 * round(settings.box_A / settings.pixel_size_A / 2)

"""Parameters of homogeneous refinement."""

from __future__ import annotations

from spa_widgets.session.params import PointGroup, SeededParams, param
from spa_widgets.session.registry import Input, Output, Step, register


class Params(SeededParams):
    """How poses and map are refined."""

    symmetry: PointGroup = param(
        "C1", label="Symmetry", help="Point group: C1, C8, D2, T, O, I1 … (RELION's settings)."
    )
    mask_diameter_A: float | None = param(
        None,
        label="Mask diameter",
        unit="Å",
        ge=20,
        le=3000,
        help="Sphere that holds the particle with some room; empty: 85 % of the box.",
    )
    initial_low_pass_A: float = param(
        30.0,
        label="Initial low-pass",
        unit="Å",
        ge=8,
        le=100,
        help="The reference starts with no more detail than this, so that what comes out comes from the particles.",
    )
    max_iterations: int = param(
        20, label="Most iterations", ge=2, le=100, help="Refinement stops earlier when nothing improves."
    )
    align_symmetry: bool = param(
        True,
        label="Align symmetry axes",
        help="Turn the initial model so that its axes stand where the point group expects them.",
    )
    dynamic_mask: bool = param(
        True, label="Dynamic mask", help="Let a mask follow the map once it is good enough; else a sphere throughout."
    )
    mask_start_A: float = param(
        12.0,
        label="Dynamic mask from",
        unit="Å",
        ge=3,
        le=50,
        group="advanced",
        help="Resolution at which the dynamic mask takes over from the sphere, unless most poses settle before.",
    )
    mask_threshold: float = param(
        0.2, label="Mask threshold", gt=0, lt=1, group="advanced", help="Share of the map's maximum that is particle."
    )
    mask_near_A: float = param(
        6.0, label="Mask near", unit="Å", ge=0, le=100, group="advanced", help="The mask is 1 within this distance."
    )
    mask_far_A: float = param(
        14.0, label="Mask far", unit="Å", gt=0, le=200, group="advanced", help="The mask is 0 beyond this distance."
    )
    coarse_step_deg: float = param(
        7.5,
        label="Coarse angular step",
        unit="°",
        ge=1,
        le=20,
        group="advanced",
        help="Step of the search over all orientations; it is subdivided from there.",
    )
    shift_range_A: float = param(
        16.0, label="Shift range", unit="Å", ge=0, le=200, group="advanced", help="How far particles may be off centre."
    )
    per_particle_scale: bool = param(
        True, label="Per-particle scale", group="advanced", help="Estimate the contrast of each image."
    )
    refine_defocus: bool = param(
        False,
        label="Per-particle defocus",
        group="advanced",
        help="Find the defocus of each particle once the poses are nearly right; worth it beyond about 4 Å.",
    )
    defocus_range_A: float = param(
        1000.0,
        label="Defocus range",
        unit="Å",
        gt=0,
        le=10000,
        group="advanced",
        help="How far a particle's defocus may be from that of its micrograph.",
    )


STEP = register(
    Step(
        name="refine",
        version=13,
        params=Params,
        title="Homogeneous refinement",
        summary="Refine poses and map from two independent halves of the particles.",
        inputs=[
            Input("particles", kind="particles", help="Particles; their half sets are kept."),
            Input("volume", kind="volume", help="Initial model.", option="--reference"),
            Input("mask", kind="mask", optional=True, help="Mask in place of the sphere and the dynamic mask."),
        ],
        outputs=[
            Output("map", kind="volume", file="map.mrc"),
            Output("map_sharp", kind="volume", file="map_sharp.mrc"),
            Output("half_A", kind="half_map", file="half_A.mrc"),
            Output("half_B", kind="half_map", file="half_B.mrc"),
            Output("mask_refine", kind="mask", file="mask_refine.mrc"),
            Output("mask_fsc", kind="mask", file="mask_fsc.mrc"),
            Output("mask_fsc_auto", kind="mask", file="mask_fsc_auto.mrc"),
            Output("fsc", kind="fsc", file="fsc.csv"),
            Output("particles", kind="particles", file="particles.star"),
        ],
        job="spa_widgets.steps.refine.job:run",
    )
)

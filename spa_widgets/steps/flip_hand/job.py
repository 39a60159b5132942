"""Mirror a map."""

from __future__ import annotations

from engine.validation.hand import flip_hand, flip_poses
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.volumes import read_volume
from spa_widgets.session.context import JobContext


def run(ctx: JobContext) -> None:
    """Write ``map_flipped.mrc``, and ``particles.star`` if particles were given."""
    ctx.progress(0, 1, "mirroring")
    volume, pixel_size_A = read_volume(ctx.input("volume"))
    write_mrc(ctx.out / "map_flipped.mrc", flip_hand(volume), pixel_size_A)
    path = ctx.optional_input("particles")
    if path is not None:
        particles = ParticleSet.read(path).with_absolute_names()
        angles_deg, shifts_A = particles.poses()
        particles.with_poses(flip_poses(angles_deg), shifts_A).write(ctx.out / "particles.star")
    ctx.progress(1, 1, "done")

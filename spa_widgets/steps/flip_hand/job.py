"""Mirror a map."""

from __future__ import annotations

from engine.validation.hand import flip_hand, flip_poses
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.image_paths import resolve_image_path
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
        particles = ParticleSet.read(path)
        angles_deg, shifts_A = particles.poses()
        flipped = particles.with_poses(flip_poses(angles_deg), shifts_A)
        names = [str(name).rpartition("@") for name in flipped.table["rlnImageName"]]
        places = {name: resolve_image_path(name, path) for _, _, name in names}
        flipped.table["rlnImageName"] = [f"{number}@{places[name]}" for number, _, name in names]
        flipped.write(ctx.out / "particles.star")
    ctx.progress(1, 1, "done")

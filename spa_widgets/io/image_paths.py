"""Where the images lie that a STAR file names."""

from __future__ import annotations

from pathlib import Path

from spa_widgets.errors import UserError
from spa_widgets.io.bundle import bring


def resolve_image_path(name: str, star_path: str | Path) -> Path:
    """Find the image file that a STAR file names.

    An absolute name is taken as it is; a relative one is looked for beside the STAR file, in the folders above it (a
    RELION project's names are relative to the project) and in the working folder. An image of a bundle is laid where
    its name says when it is first asked for.

    Raises
    ------
    UserError
        When there is no such file.
    """
    wanted = Path(name)
    star = Path(star_path).resolve()
    places = [wanted] if wanted.is_absolute() else [p / wanted for p in (*star.parents, Path.cwd())]
    for place in places:
        if place.exists():
            return place
    beside = star.parent / wanted.name
    if beside.exists():
        return beside
    if laid := bring(star.parent / wanted):
        return laid
    raise UserError(f"{star_path} names the image file {name}, which is not there: move it back or import it again.")

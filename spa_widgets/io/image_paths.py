"""Where the images lie that a STAR file names."""

from __future__ import annotations

import re
from pathlib import Path

from spa_widgets.errors import UserError
from spa_widgets.io.bundle import bring

_FORMAT = re.compile(r":(mrcs?|st|map|tiff?|eer)$", re.IGNORECASE)


class MissingImageError(UserError):
    """A table names an image file that is not there."""


def image_file(name: str) -> tuple[str, str]:
    """Split what names an image file from the format that RELION lets one say behind it.

    RELION takes a ``.mrc`` for a single image or map: one that is a stack is named ``stack.mrc:mrcs``.

    Returns
    -------
    (str, str)
        ``stack.mrc`` and ``:mrcs``, which is empty where nothing is said.
    """
    said = _FORMAT.search(name)
    return (name, "") if said is None else (name[: said.start()], said.group())


def resolve_image_path(name: str, star_path: str | Path) -> Path:
    """Find the image file that a STAR file names.

    An absolute name is taken as it is; a relative one is looked for beside the STAR file, in the folders above it (a
    RELION project's names are relative to the project) and in the working folder. An image of a bundle is laid where
    its name says when it is first asked for.

    Raises
    ------
    MissingImageError
        When there is no such file.
    """
    wanted = Path(image_file(name)[0])
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
    raise MissingImageError(
        f"{star_path} names the image file {name}, which is not there: move it back or import it again."
    )

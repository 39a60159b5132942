"""What is shown to a user when something foreseeable went wrong."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable

# control and formatting characters, lone surrogates, ends of lines: they could move a terminal's cursor or hide words
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def on_one_line(text: str) -> str:
    """Return text as it can be shown anywhere: ends of lines become spaces, unseen characters the sign � for such."""
    words = " ".join(text.split()) if any(mark in text for mark in "\n\r\t") else text
    if words.isascii() and words.isprintable():
        return words
    return "".join("�" if unicodedata.category(each) in _UNSEEN else each for each in words)


class UserError(Exception):
    """A mistake that a user can mend: its text is one sentence saying what was found, expected and to be done.

    Names and cells of files from elsewhere become part of it, so its text is always one line that can be printed.
    """

    def __str__(self) -> str:
        """Return the sentence."""
        return on_one_line(super().__str__())


def size_in_words(count: int) -> str:
    """Give a number of bytes in the unit that suits it.

    >>> [size_in_words(count) for count in (0, 999, 20_480, 1_000_000, 2_540_000_000)]
    ['0 bytes', '999 bytes', '20.5 kB', '1.0 MB', '2.5 GB']
    """
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if count >= 1000**power:
            return f"{count / 1000**power:.1f} {unit}"
    return f"{count} bytes"


def unknown_name(found: str, name: str, names: Iterable[str], there_are: str = "there are") -> str:
    """Say that a name is unknown, with the one that was probably meant, else with all that there are.

    >>> unknown_name("There is no step 'clasify_2d'", "clasify_2d", ["classify_2d", "refine"])
    "There is no step 'clasify_2d'; did you mean classify_2d?"
    """
    known = list(names)
    meant = _nearest(name, known)
    return f"{found}; did you mean {meant}?" if meant else f"{found}; {there_are} {', '.join(known)}."


def _nearest(name: str, names: list[str]) -> str | None:
    """Give the name that differs by a slip of the finger, or by the order of its words alone."""
    words = sorted(name.lower().split("_"))
    same_words = [each for each in names if sorted(each.lower().split("_")) == words]
    near = same_words or difflib.get_close_matches(name, names, n=1, cutoff=0.75)
    return near[0] if near else None

"""What is shown to a user when something foreseeable went wrong."""

from __future__ import annotations

import unicodedata

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

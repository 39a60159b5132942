"""Text files of other programs and machines as text."""

from __future__ import annotations

import codecs
from pathlib import Path

from spa_widgets.errors import UserError

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decoded(content: bytes, file: Path, expected: str) -> str:
    """Return text with the line ends of this program, from UTF-8, or from UTF-16 that says so (Windows' redirection).

    Raises
    ------
    UserError
        When it is no text, or of another encoding.
    """
    is_wide = content.startswith(_UTF_16)
    try:
        text = content.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        if is_wide or b"\0" in content:
            raise UserError(f"{file} is not text; expected {expected}: is it an image?") from error
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{file} is not text of UTF-8 (line {line}); expected {expected}: save it as UTF-8, or is it an image?"
        ) from error
    if "\0" in text:
        raise UserError(f"{file} is not text; expected {expected}: is it an image?")
    return text.replace("\r\n", "\n").replace("\r", "\n")

"""What is shown to a user when something foreseeable went wrong."""

from __future__ import annotations


class UserError(Exception):
    """A mistake that a user can mend: its text is one sentence saying what was found, expected and to be done."""

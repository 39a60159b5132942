"""Guests of a class: names, roles and pass phrases. Phrases are kept as hashes, in a file that only root reads."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

GUESTS, LOOKERS, INSTRUCTORS = "guests", "lookers-on", "instructors"
ROLES = {GUESTS: "guest", LOOKERS: "looker", INSTRUCTORS: "instructor"}
_SYLLABLES = [first + second for first in "bdfghjkmnprstvz" for second in "aeiou"]
_SYLLABLES_IN_A_PHRASE = 8  # 75^8: 50 bits, and easy to read aloud
_DAY_S = 86400.0


@dataclass(frozen=True)
class Guest:
    """One account.

    Attributes
    ----------
    role : str
        One of `ROLES`.
    salt, hash : str
        Hexadecimal; the phrase itself is not kept.
    expires : float
        Seconds since 1970 after which nobody gets in.
    once : bool
        Whether the phrase is spent by the first login.
    spent : bool
        Whether it has been.
    """

    role: str
    salt: str
    hash: str
    expires: float
    once: bool = False
    spent: bool = False

    def accepts(self, phrase: str, now: float) -> bool:
        """Tell whether this phrase opens the account now."""
        fits = hmac.compare_digest(_hash(phrase, self.salt), self.hash)
        return fits and not self.is_over(now) and not (self.once and self.spent)

    def is_over(self, now: float | None = None) -> bool:
        """Tell whether the account's time has passed."""
        return (time.time() if now is None else now) >= self.expires


def _hash(phrase: str, salt: str) -> str:
    plain = "".join(letter for letter in phrase.lower() if letter.isalpha())
    return hashlib.scrypt(plain.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1).hex()


def new_phrase() -> str:
    """Make a phrase, four words of two syllables, from the system's random numbers."""
    chosen = [secrets.choice(_SYLLABLES) for _ in range(_SYLLABLES_IN_A_PHRASE)]
    return "-".join("".join(chosen[i : i + 2]) for i in range(0, len(chosen), 2))


class GuestBook:
    """The file of the guests. Writers take turns; a reader sees the old file or the new one.

    Parameters
    ----------
    path
        A JSON file; made readable by its owner alone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Guest]:
        """Return all guests by name.

        Raises
        ------
        ValueError
            If others may read or change the file, or it is damaged.
        """
        try:
            with self.path.open() as file:
                if os.fstat(file.fileno()).st_mode & 0o027:
                    raise ValueError(f"{self.path} can be read or changed by others; chmod 600 it.")
                return {name: Guest(**fields) for name, fields in json.load(file).items()}
        except FileNotFoundError:
            return {}
        except (TypeError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError(f"{self.path} is damaged; make the guests again with `spa_hub make`.") from error

    @contextlib.contextmanager
    def _change(self) -> Iterator[dict[str, Guest]]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(_private(self.path.with_suffix(".lock")), "r+", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            guests = self.read()
            yield guests
            part = _private(self.path.with_suffix(".part"))
            part.write_text(
                json.dumps({name: asdict(guest) for name, guest in guests.items()}, indent=1), encoding="utf-8"
            )
            part.replace(self.path)

    def give_phrases(self, names: Sequence[str], role: str, days: float, once: bool = False) -> dict[str, str]:
        """Give each name a new phrase, which takes the place of an older one, and return the phrases.

        Parameters
        ----------
        names
            Accounts, new or old.
        role
            One of `ROLES`.
        days
            How long they get in.
        once
            Whether the first login spends the phrase.
        """
        if role not in ROLES:
            raise ValueError(f"the role is {role!r}; expected one of {', '.join(ROLES)}.")
        phrases = {name: new_phrase() for name in names}
        with self._change() as guests:
            for name, phrase in phrases.items():
                salt = secrets.token_hex(16)
                guests[name] = Guest(role, salt, _hash(phrase, salt), time.time() + days * _DAY_S, once)
        return phrases

    def remove(self, names: Sequence[str]) -> None:
        """Let these names in no more; their files stay."""
        with self._change() as guests:
            for name in names:
                if name not in guests:
                    raise ValueError(f"there is no guest {name!r}; `spa_hub list` names them.")
                del guests[name]

    def enter(self, name: str, phrase: str) -> Guest | None:
        """Return the guest whom this name and phrase belong to, or None; spends a phrase that is good for once."""
        guest = self.read().get(name)
        # a name that is not there takes as long as one that is, so that names cannot be found out by the time
        known = guest or Guest(GUESTS, "00" * 16, "", 0.0)
        if not known.accepts(phrase, time.time()) or guest is None:
            return None
        if not guest.once:
            return guest
        with self._change() as guests:  # of two that come at once, one gets in
            if guests.get(name) != guest:
                return None
            guests[name] = replace(guest, spent=True)
        return guest


def _private(path: Path) -> Path:
    """Return a file of one's own, empty or as it is, that nobody else reads."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))
    path.chmod(0o600)
    return path


def write_slips(path: Path, phrases: dict[str, str], address: str) -> None:
    """Add a line for each guest to a file that only its owner reads: address, name, phrase."""
    with _private(path).open("a") as file:
        file.writelines(f"{address}\t{name}\t{phrase}\n" for name, phrase in phrases.items())

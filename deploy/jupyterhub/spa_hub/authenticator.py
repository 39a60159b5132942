"""Login by a guest's name and pass phrase."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path
from typing import Any

from jupyterhub.auth import Authenticator
from traitlets import Float, Unicode, default

from spa_hub.guests import INSTRUCTORS, GuestBook

_LONGEST_WAIT_S = 8.0  # a guest whose name somebody else tries can still get in
_NAMES_REMEMBERED = 2000


class GuestAuthenticator(Authenticator):
    """Lets in who is in the guest book. A person's role becomes a group of the hub."""

    guests_file = Unicode("/etc/spa-hub/guests.json", help="Guests and the hashes of their phrases.").tag(config=True)
    wait_after_failure_s = Float(1.0, help="First wait after a wrong phrase; doubled up to 8 s.").tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._failures: dict[str, int] = defaultdict(int)

    @default("allow_all")
    def _everybody_in_the_book(self) -> bool:
        return True

    @default("manage_groups")
    def _roles_are_groups(self) -> bool:
        return True

    async def authenticate(self, handler: Any, data: dict[str, str] | None = None, **_: Any) -> Any:
        """Return who this is, or None; guessing is slowed down more with each failure."""
        name, phrase = (data or {}).get("username", ""), (data or {}).get("password", "")
        if self._failures[name]:
            await asyncio.sleep(min(_LONGEST_WAIT_S, self.wait_after_failure_s * 2.0 ** (self._failures[name] - 1)))
        book = GuestBook(Path(self.guests_file))
        try:
            guest = await asyncio.get_running_loop().run_in_executor(None, book.enter, name, phrase)
        except ValueError as error:
            self.log.error("Nobody can log in: %s", error)
            return None
        if guest is not None:
            self._failures.pop(name, None)
            return {"name": name, "groups": [guest.role], "admin": guest.role == INSTRUCTORS}
        if len(self._failures) > _NAMES_REMEMBERED:
            self._failures.clear()
        self._failures[name] = min(self._failures[name] + 1, 10)
        return None

    async def refresh_user(self, user: Any, handler: Any = None, **_: Any) -> bool:
        """Log out, at the next look (every few minutes), who is no longer in the book."""
        try:
            guest = GuestBook(Path(self.guests_file)).read().get(user.name)
        except ValueError as error:
            self.log.error("Nobody can stay: %s", error)
            return False
        return guest is not None and not guest.is_over()

"""Settings of a hub: one TOML file, every value with a default."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from spa_hub.guests import LOOKERS


@dataclass(frozen=True)
class Settings:
    """What an instructor may change; `hub.toml` explains each.

    Attributes
    ----------
    address, port : str, int
        Where the hub listens; other machines reach it only with a certificate or by a proxy in front.
    certificate, key : str
        Files for https; none means plain http.
    state : str
        Folder of the hub's database and secrets.
    proxy : str
        The program ``configurable-http-proxy``.
    guests : str
        The guest book.
    memory_gb, cores : float
        Of each participant's notebook server.
    processes : int
        How many processes and threads a participant may have.
    servers : int
        How many participants may work at the same time.
    idle_minutes : float
        After which an unused server is stopped.
    notebooks : str
        Folder whose notebooks each participant gets at the first login.
    first_page : str
        What opens after the login.
    class_store : str
        Results that everybody sees and nobody changes; empty for none.
    service : str
        Folder of the engine service; empty for none.
    tutorial : dict
        Settings of the tutorial, such as the class's own micrographs.
    """

    address: str = "127.0.0.1"
    port: int = 8000
    certificate: str = ""
    key: str = ""
    state: str = "/var/lib/spa-hub"
    proxy: str = "/opt/spa/node_modules/.bin/configurable-http-proxy"
    guests: str = "/etc/spa-hub/guests.json"
    memory_gb: float = 3.0
    cores: float = 2.0
    processes: int = 500
    servers: int = 80
    idle_minutes: float = 60.0
    notebooks: str = "/opt/spa/notebooks"
    first_page: str = "/lab/tree/tutorial.ipynb"
    class_store: str = ""
    service: str = ""
    tutorial: dict[str, Any] | None = None

    @classmethod
    def read(cls, path: Path) -> Settings:
        """Read a TOML file.

        Raises
        ------
        ValueError
            If the file is missing, is no TOML, or has a name or a type that is not known.
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise ValueError(
                f"{path} cannot be read as TOML: {error}; start from hub.toml beside this program."
            ) from None
        known = {item.name: item for item in fields(cls)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"{path}: {name!r} is unknown; expected one of {', '.join(known)}.")
            wanted = {} if name == "tutorial" else known[name].default
            fits = isinstance(value, (int, float) if isinstance(wanted, float) else type(wanted))
            if not fits or isinstance(value, bool):
                raise ValueError(f"{path}: {name} is {value!r}; expected something like {wanted!r}.")
        settings = cls(**values)
        if not settings.certificate and settings.address not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError(
                f"{path}: address {settings.address} would send pass phrases in the clear; give certificate and key, "
                "or keep 127.0.0.1 and put a proxy with https in front."
            )
        return settings

    def environment(self, groups: set[str]) -> dict[str, str]:
        """Return what a participant's session is told by its environment.

        Parameters
        ----------
        groups
            Groups of the participant.
        """
        threads = max(1, round(self.cores))
        told = {
            "SPA_NOTEBOOKS": self.notebooks,
            "SPA_CLASS_STORE": self.class_store,
            "SPA_SERVICE": "" if LOOKERS in groups else self.service,
            "SPA_READ_ONLY": "1" if LOOKERS in groups else "",
            "SPA_TUTORIAL": json.dumps(self.tutorial) if self.tutorial else "",
            "SPA_THREADS": str(threads),
            "OMP_NUM_THREADS": str(threads),
        }
        return {name: value for name, value in told.items() if value}

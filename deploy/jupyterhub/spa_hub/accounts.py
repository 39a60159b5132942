"""System accounts of the guests: one user each, with a home that nobody else can enter."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
from collections.abc import Sequence
from pathlib import Path

GROUP = "spa-people"  # everybody whom this made
SUBMITTERS = "spa-guests"  # who may ask the engine service; lookers-on are not in it


def make_accounts(names: Sequence[str], may_submit: bool) -> None:
    """Make a user without a password for each name; one that this made before is left as it is.

    Parameters
    ----------
    names
        Names of users.
    may_submit
        Whether they may ask for computing.

    Raises
    ------
    ValueError
        If a name belongs to a user who is no guest, or this is not run by root.
    """
    if os.geteuid() != 0:
        raise ValueError("accounts are made by root; run this with sudo, or with --no-accounts.")
    for group in (GROUP, SUBMITTERS):
        _run("groupadd", "--force", group)
    groups = f"{GROUP},{SUBMITTERS}" if may_submit else GROUP
    for name in names:
        try:
            known = pwd.getpwnam(name)
        except KeyError:
            _run("useradd", "--create-home", "--user-group", "--groups", groups, "--shell", "/bin/bash", name)
            known = pwd.getpwnam(name)
        else:
            if name not in grp.getgrnam(GROUP).gr_mem:
                raise ValueError(f"{name} is a user of this machine and no guest; choose another --prefix.")
        Path(known.pw_dir).chmod(0o700)


def remove_account(name: str) -> None:
    """Delete a guest's user and files.

    Raises
    ------
    ValueError
        If the name is not a guest's.
    """
    try:
        is_guest = name in grp.getgrnam(GROUP).gr_mem
    except KeyError:
        is_guest = False
    if not is_guest:
        raise ValueError(f"{name} is not in the group {GROUP}; only guests are deleted.")
    _run("userdel", "--force", "--remove", name)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"{command[0]} failed: {done.stderr.strip()}")

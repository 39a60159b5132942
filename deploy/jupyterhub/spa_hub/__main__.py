"""Guests from the command line: ``python -m spa_hub make 20``."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from spa_hub.accounts import make_accounts, remove_account
from spa_hub.guests import GUESTS, LOOKERS, ROLES, GuestBook, write_slips


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="spa_hub", description="Guests of a class on a hub.")
    parser.add_argument("--folder", type=Path, default=Path("/etc/spa-hub"), help="where guests.json is")
    parser.add_argument("--address", default="", help="of the hub, written beside each phrase")
    parser.add_argument("--no-accounts", action="store_true", help="phrases only: the hub makes the accounts itself")
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make", help="make guests; phrases go to phrases.txt, which only root reads")
    make.add_argument("number", type=int)
    make.add_argument("--role", choices=ROLES, default=GUESTS)
    make.add_argument("--prefix", default="", help="of the names; the role's by default")
    renew = commands.add_parser("renew", help="give guests a new phrase; the old one opens nothing any more")
    renew.add_argument("names", nargs="+")
    for each in (make, renew):
        each.add_argument("--days", type=float, default=14.0, help="how long they get in (14)")
        each.add_argument("--once", action="store_true", help="the first login spends the phrase")
    remove = commands.add_parser("remove", help="let guests in no more")
    remove.add_argument("names", nargs="+")
    remove.add_argument("--delete-files", action="store_true", help="delete their accounts and files too")
    commands.add_parser("list", help="names, roles, and until when")
    return parser


def _give(book: GuestBook, names: list[str], role: str, wanted: argparse.Namespace) -> None:
    if not wanted.no_accounts:
        make_accounts(names, may_submit=role != LOOKERS)
    slips = book.path.with_name("phrases.txt")
    write_slips(slips, book.give_phrases(names, role, wanted.days, wanted.once), wanted.address)
    print(f"{names[0]} to {names[-1]}: phrases are in {slips}; print them, then delete the file.")


def run(wanted: argparse.Namespace) -> None:
    """Do what the command line says."""
    book = GuestBook(wanted.folder / "guests.json")
    if wanted.command == "make":
        if not 1 <= wanted.number <= 999:
            raise ValueError(f"{wanted.number} guests were asked for; expected 1 to 999.")
        prefix = wanted.prefix or ROLES[wanted.role]
        _give(book, [f"{prefix}{i:02d}" for i in range(1, wanted.number + 1)], wanted.role, wanted)
    elif wanted.command == "renew":
        guests = book.read()
        unknown = [name for name in wanted.names if name not in guests]
        if unknown:
            raise ValueError(f"there is no guest {unknown[0]!r}; `spa_hub list` names them.")
        for name in wanted.names:
            _give(book, [name], guests[name].role, wanted)
    elif wanted.command == "remove":
        book.remove(wanted.names)
        for name in wanted.names if wanted.delete_files else ():
            remove_account(name)
    else:
        for name, guest in sorted(book.read().items()):
            until = time.strftime("%Y-%m-%d %H:%M", time.localtime(guest.expires))
            print(f"{name}\t{guest.role}\tuntil {until}{'  (phrase spent)' if guest.spent else ''}")


def main() -> int:
    """Run the command; what is wrong is said in one sentence."""
    try:
        run(_parser().parse_args())
    except (ValueError, OSError) as error:
        print(f"spa_hub: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

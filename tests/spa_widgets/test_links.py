"""Links of the documentation lead somewhere."""

import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]+)")


def pages() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=REPOSITORY, capture_output=True, encoding="utf-8", check=True
    )
    return listed.stdout.split()


@pytest.mark.parametrize("page", pages())
def test_every_file_that_a_page_links_to_is_there(page):
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    places = [(REPOSITORY / page).parent / target for target in _LINK.findall(text)]
    missing = [str(place) for place in places if not place.exists()]
    assert not missing, f"{page} links to {missing}"

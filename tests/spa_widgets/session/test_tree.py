from __future__ import annotations

from xml.etree import ElementTree

from spa_widgets.session.queue import JobRow
from spa_widgets.session.tree import JobTree


def row(number: int, step: str, state: str, *parents: int) -> JobRow:
    inputs = {f"in{i}": {"job": parent, "file": "x"} for i, parent in enumerate(parents)}
    return JobRow(number, "W1", step, {"inputs": inputs}, "", "cpu", state, None, "", 0, False, False, 0.0, None, None)


TREE = JobTree(
    (
        row(1, "import", "finished"),
        row(2, "ctf", "finished", 1),
        row(3, "pick", "running", 2),
        row(4, "extract", "queued", 2, 3),
        row(5, "other", "failed", 2),
    ),
    {"ctf": "CTF & defocus"},
)


def test_every_job_is_below_what_it_uses_and_none_overlap() -> None:
    places = TREE.places()
    assert len(set(places.values())) == 5
    for one in TREE.rows:
        assert all(places[parent][1] < places[one.number][1] for parent in TREE.parents(one))


def test_picture_has_a_node_for_each_job_and_an_edge_for_each_input() -> None:
    svg = ElementTree.fromstring(TREE._repr_svg_())
    space = "{http://www.w3.org/2000/svg}"
    assert len(svg.findall(f"{space}g")) == 5 and len(svg.findall(f"{space}path")) == 5
    titles = [title.text for title in svg.iter(f"{space}title")]
    assert "J2 CTF & defocus: finished" in titles
    colours = {node.find(f"{space}rect").get("stroke") for node in svg.findall(f"{space}g")}  # type: ignore[union-attr]
    assert len(colours) == 4, "each status has its colour"


def test_text_shows_status_and_inputs() -> None:
    assert str(TREE).splitlines()[3].strip() == "○ J4 extract [queued] ← J2, J3"
    assert str(JobTree((), {})) == "no jobs yet"

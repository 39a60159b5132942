"""The volume viewer without a browser: a napari model and what is sent of it."""

from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from spa_widgets.errors import UserError
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.viewers.volume.widget import VolumeViewer
from tests.support.widget_data import ball


@pytest.fixture
def viewer(tmp_path: Path) -> VolumeViewer:
    write_mrc(tmp_path / "map.mrc", ball(), 2.0)
    return VolumeViewer(tmp_path / "map.mrc", ball(radius_px=11), names=["map", "mask"], levels=[0.5], pixel_size_A=2.0)


def test_its_state_is_naparis(viewer: VolumeViewer) -> None:
    from napari.components import ViewerModel
    from napari.layers import Image

    assert isinstance(viewer.model, ViewerModel) and isinstance(viewer.layers["map"], Image)
    assert viewer.layers["map"].iso_threshold == 0.5
    assert tuple(viewer.layers["map"].scale) == (2.0, 2.0, 2.0)


def test_napari_and_the_view_see_each_others_changes(viewer: VolumeViewer) -> None:
    viewer.layers["map"].iso_threshold = 0.25
    viewer.layers["mask"].visible = False
    assert (viewer.maps[0]["name"], viewer.maps[0]["level"], viewer.maps[0]["visible"]) == ("map", 0.25, True)
    assert viewer.maps[1]["visible"] is False
    viewer._ask_set(viewer.maps[0]["id"], {"level": 0.75, "opacity": 0.5, "colour": "#ff0000"})
    layer = viewer.layers["map"]
    assert (layer.iso_threshold, layer.opacity) == (0.75, 0.5)
    assert viewer.maps[0]["colour"] == "#ff0000"


def test_level_in_standard_deviations(viewer: VolumeViewer) -> None:
    viewer.set("map", sigma=2.0)
    expected = ball().mean() + 2 * ball().std()
    assert viewer.layers["map"].iso_threshold == pytest.approx(expected, rel=1e-5)


def test_the_camera_is_linked_both_ways(viewer: VolumeViewer) -> None:
    viewer._ask_camera(view=[-1.0, 0.0, 0.0], up=[0.0, 0.0, 1.0])  # x, y, z of the view; napari has z, y, x
    assert np.allclose(viewer.camera.view_direction, (0, 0, -1), atol=1e-6)
    sent: list[dict] = []
    viewer._tell = lambda event, **content: sent.append({"event": event, **content})  # type: ignore[method-assign]
    viewer.look_along("y")
    assert np.allclose(sent[-1]["view"], (0, 1, 0), atol=1e-6) and np.allclose(sent[-1]["up"], (0, 0, 1), atol=1e-6)


def test_the_packed_map_is_the_map(viewer: VolumeViewer) -> None:
    facts, (packed,) = viewer._ask_volume(viewer.maps[0]["id"])
    levels = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(32, 32, 32)
    values = facts["low"] + levels * (facts["high"] - facts["low"]) / 255
    error = np.abs(values - np.maximum(ball(), facts["low"])).max()
    assert facts["shape"] == [32, 32, 32] and error <= (facts["high"] - facts["low"]) / 500
    assert sum(facts["histogram"]) == 32**3


def test_a_noisy_map_of_180_packs_into_a_megabyte() -> None:
    rng = np.random.default_rng(0)
    noisy = np.zeros((180, 180, 180), np.float32)
    noisy[74:106, 74:106, 74:106] = ball()
    noisy += 0.05 * rng.standard_normal(noisy.shape, np.float32)
    (found,) = VolumeViewer(noisy)._quantised.values()
    assert len(found.packed) < 1_000_000


def test_its_code_reproduces_the_view(viewer: VolumeViewer, tmp_path: Path) -> None:
    viewer.set("map", level=0.3, colour="#00ff00")
    viewer.look_along("x")
    again = VolumeViewer(ball(), ball(), names=["map", "mask"])
    exec(viewer.code(), {"viewer": again})
    assert again.layers["map"].iso_threshold == pytest.approx(0.3)
    assert again.maps[0]["colour"] == "#00ff00"
    assert np.allclose(again.camera.view_direction, viewer.camera.view_direction, atol=1e-3)


def test_mistakes_are_told(viewer: VolumeViewer) -> None:
    with pytest.raises(UserError, match="no renderer 'paper'; give browser or napari"):
        VolumeViewer(ball(), renderer="paper")
    with pytest.raises(UserError, match="shape"):
        VolumeViewer(np.zeros((4, 4)))
    with pytest.raises(UserError, match="no map 'other'"):
        viewer.set("other", level=1)


def test_napari_is_imported_by_this_viewer_alone() -> None:
    code = (
        "import sys; from spa_widgets.steps.manual_picks.widget import ManualPicker; "
        "from spa_widgets.viewers.jobs.widget import JobPanel; sys.exit('napari' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_looking_needs_no_napari_and_napari_takes_over_what_was_set() -> None:
    code = (
        "import sys; import numpy as np\n"
        "from spa_widgets import VolumeViewer; from tests.support.widget_data import ball\n"
        "viewer = VolumeViewer(ball(), ball(), colours=['#123456']); viewer.set('map', level=0.4, visible=False)\n"
        "viewer._ask_camera(view=[-1.0, 0.0, 0.0], up=[0.0, 0.0, 1.0]); viewer.static_html(); viewer.code()\n"
        "assert viewer.maps[0]['level'] == 0.4 and viewer.maps[1]['name'] == 'map [1]'\n"
        "assert 'napari' not in sys.modules\n"
        "layer = viewer.layers['map']\n"
        "assert layer.iso_threshold == 0.4 and not layer.visible and viewer.maps[0]['colour'] == '#123456'\n"
        "assert np.allclose(viewer.camera.view_direction, (0, 0, -1), atol=1e-6)\n"
        "del viewer.layers['map [1]']; assert [row['name'] for row in viewer.maps] == ['map']\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, cwd=Path(__file__).parents[3])


def test_the_report_shows_surface_and_slices(viewer: VolumeViewer) -> None:
    html = viewer.static_html()
    assert html.count("<img") == 12 and "map" in html and "mask" in html
    one = VolumeViewer(ball(), ball(), names=["map", "mask"], visible=[True, False])
    assert [row["visible"] for row in one.maps] == [True, False] and one.static_html().count("<img") == 6


def test_a_map_is_coloured_by_all_values_of_another() -> None:
    ramp = np.broadcast_to(np.linspace(2, 8, 32, dtype=np.float32), (32, 32, 32))
    viewer = VolumeViewer(ball(), ramp, names=["map", "resolution"], levels=[0.5, 9.0])
    viewer.colour_by("map", "resolution", low=3, high=7)
    facts, (packed,) = viewer._ask_values(viewer.maps[1]["id"], *viewer.maps[0]["colour_by"]["range"])
    levels = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(32, 32, 32)
    values = facts["low"] + levels * (facts["high"] - facts["low"]) / 255
    assert np.abs(values - np.clip(ramp, 3, 7)).max() < 0.01
    with pytest.raises(UserError, match="same grid"):
        VolumeViewer(ball(), np.zeros((8, 8, 8)), names=["a", "b"]).colour_by("a", "b")


def test_planes_slices_zoom_and_links_are_naparis(viewer: VolumeViewer) -> None:
    viewer.clip("z", at_A=4.0, names=["map"])
    (plane,) = viewer.layers["map"].experimental_clipping_planes
    assert np.allclose(plane.normal, (-1, 0, 0)) and np.allclose(plane.position[0], 16 + 4 / 2)
    assert not viewer.layers["mask"].experimental_clipping_planes
    viewer.layers["map"].experimental_clipping_planes = []
    assert viewer.maps[0]["clip"] is None
    viewer.cut_at(10, 20, 30)
    assert viewer.dims.point == (10, 20, 30)
    viewer.dims.point = (12, 22, 32)
    assert viewer.cut == [32, 22, 12]
    other = VolumeViewer(ball(), pixel_size_A=2.0)
    viewer.link_cameras(other)
    viewer._ask_camera(view=[-1.0, 0, 0], up=[0, 0, 1.0], zoom=3.0, centre=[1.0, 2, 3])
    for what, value in viewer._camera_state().items():
        assert np.allclose(other._camera_state()[what], value, atol=1e-6)
    assert viewer.camera.zoom == 3.0
    assert np.allclose(other.camera.center, (3, 2, 1)) and viewer.camera_group == other.camera_group != ""
    viewer.unlink_cameras()
    viewer.look_along("z")
    assert np.allclose(other.camera.view_direction, (0, 0, -1), atol=1e-6)


def test_layers_that_come_by_naparis_api_are_told_to_the_views(viewer: VolumeViewer) -> None:
    viewer.add_points(
        np.array([[2.0, 4, 6]]), size=3, face_color="red", name="atoms", scale=(2, 2, 2), translate=(1, 0, 0)
    )
    layer = viewer.show_symmetry("D2")
    third = viewer.add_image(ball(), name="third", scale=(2, 2, 2), iso_threshold=0.4)
    assert [(each["kind"], each["name"]) for each in viewer.objects] == [("points", "atoms"), ("surface", "D2 axes")]
    assert [row["name"] for row in viewer.maps] == ["map", "mask", "third"] and viewer.maps[2]["level"] == 0.4
    _, (places, colours) = viewer._ask_object(viewer.objects[0]["id"])
    assert np.frombuffer(places, np.float32).tolist() == [12, 8, 5, 6]
    assert np.frombuffer(colours, np.uint8).tolist() == [255, 0, 0]
    _, (vertices, triangles, _) = viewer._ask_object(viewer.objects[1]["id"])
    assert np.frombuffer(triangles, np.uint32).max() + 1 == len(np.frombuffer(vertices, np.float32)) // 3
    third.data = 2 * ball()
    assert viewer.maps[2]["version"] == 1 and viewer._quantised[viewer.maps[2]["id"]].high == 2.0
    viewer.layers.remove(layer)
    assert len(viewer.objects) == 1

"""napari's own drawing: what is missing is told; where all is there, its pictures are judged by what must be seen."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from spa_widgets.errors import UserError
from spa_widgets.viewers.volume import desktop, drawing, renderer
from spa_widgets.viewers.volume.mirror import Mirror
from spa_widgets.viewers.volume.widget import VolumeViewer
from tests.support.widget_data import ball

needs_napari_drawing = pytest.mark.skipif(
    bool(renderer.missing_parts()), reason=renderer.missing_parts() or "all is there"
)


def pair() -> tuple[Mirror, Mirror]:
    """A model with a map, and its twin."""
    from napari.components import ViewerModel

    here, there = ViewerModel(ndisplay=3), ViewerModel(ndisplay=3)
    here.add_image(ball(), name="map", rendering="iso", iso_threshold=0.5)
    first, second = Mirror(here, lambda: None, "a"), Mirror(there, lambda: None, "b")
    second.apply(first.everything())
    return first, second


def test_twins_follow_each_other_and_do_not_echo() -> None:
    first, second = pair()
    here, there = first.model, second.model
    assert [layer.name for layer in there.layers] == ["map"]
    here.layers["map"].iso_threshold = 0.25
    here.layers["map"].colormap = "magma"
    here.layers["map"].experimental_clipping_planes = [{"position": (8, 8, 8), "normal": (0, 1, 0)}]
    here.add_points(np.array([[1.0, 2, 3]]), name="atoms", size=4, face_color="red")
    here.add_surface((np.eye(3), np.array([[0, 1, 2]]), np.ones(3)), name="side")
    here.scene.camera.angles = (10, 20, 30)
    here.dims.point = (4, 5, 6)
    second.apply(first.take())
    copy = there.layers["map"]
    assert (copy.iso_threshold, copy.colormap.name, len(copy.experimental_clipping_planes)) == (0.25, "magma", 1)
    assert there.layers["atoms"].size.tolist() == [4] and there.layers["side"].data[0].tolist() == np.eye(3).tolist()
    assert np.allclose(there.scene.camera.angles, (10, 20, 30)) and there.dims.point == (4, 5, 6)
    assert second.take() == [], "what was told is not told back"
    there.layers["atoms"].data = np.array([[7.0, 8, 9], [1, 1, 1]])
    there.layers["map"].visible = False
    there.layers.remove("side")
    first.apply(second.take())
    assert here.layers["atoms"].data.tolist() == [[7, 8, 9], [1, 1, 1]]
    assert not here.layers["map"].visible and "side" not in here.layers
    assert first.take() == []


def test_a_new_order_of_layers_travels() -> None:
    first, second = pair()
    first.model.add_points(np.zeros((1, 3)), name="atoms")
    first.model.layers.move(1, 0)
    second.apply(first.take())
    assert [layer.name for layer in second.model.layers] == ["atoms", "map"]


def test_missing_parts_are_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        drawing, "missing_parts", lambda: "napari's drawing without a screen needs EGL: apt-get install x"
    )
    viewer = VolumeViewer(ball(), renderer="napari")
    assert viewer.renderer == "browser"
    assert viewer.notice.startswith("napari's drawing without a screen needs EGL")
    with pytest.raises(UserError, match="apt-get install"):
        viewer.screenshot()


def test_each_missing_part_has_its_own_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderer.sys, "platform", "linux")
    monkeypatch.setattr(renderer.ctypes.util, "find_library", lambda _name: None)
    assert "libegl1" in renderer.missing_parts()
    monkeypatch.setattr(renderer.ctypes.util, "find_library", lambda name: name)
    monkeypatch.setattr(renderer.importlib.util, "find_spec", lambda _name: None)
    assert "spa-widgets[napari-render]" in renderer.missing_parts()


def test_no_screen_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desktop, "missing_qt", lambda: "")
    monkeypatch.setattr(desktop.sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="needs a screen"):
        VolumeViewer(ball()).open_in_napari()


@pytest.fixture(scope="module")
def drawn() -> Iterator[VolumeViewer]:
    """A blue ball of 10 voxels' radius drawn by napari, 2 Å a voxel."""
    viewer = VolumeViewer(ball(32, 10), names=["ball"], levels=[0.5], pixel_size_A=2.0, colours=["#0000ff"])
    yield viewer
    viewer.close()


def picture(viewer: VolumeViewer, zoom: float = 4.0) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(viewer.screenshot(300, 200, zoom))).convert("RGB")).astype(int)


@needs_napari_drawing
def test_napari_draws_the_ball_where_and_as_large_as_it_is(drawn: VolumeViewer) -> None:
    seen = picture(drawn)
    assert seen.shape == (200, 300, 3) and (seen[2, 2] == 255).all(), "the page's ground"
    inside = seen[..., 2] > seen[..., 0] + 20
    rows, columns = np.nonzero(inside)
    # 3 voxels off the centre in x; the view's centre is that of the box, half a voxel beside voxel 16
    assert abs(columns.mean() - (150 + 3.5 * 2 * 4)) < 2 and abs(rows.mean() - (100 - 0.5 * 2 * 4)) < 2
    assert inside.sum() == pytest.approx(np.pi * (10 * 2 * 4) ** 2, rel=0.08)
    assert picture(drawn, 2.0)[..., 0].min() < 200


@needs_napari_drawing
def test_napari_draws_what_is_changed_by_its_api(drawn: VolumeViewer) -> None:
    drawn.layers["ball"].visible = False
    assert (picture(drawn) == 255).all()
    drawn.add_points(np.array([[31.0, 31, 31]]), size=20, face_color="red", border_width=0, name="mark")
    seen = picture(drawn)
    red = (seen[..., 0] > 200) & (seen[..., 1] < 60)
    assert red.sum() == pytest.approx(np.pi * 40**2, rel=0.1)
    drawn.layers.remove("mark")
    drawn.layers["ball"].visible = True
    drawn.clip("x")
    drawn.look_along("z")
    half = picture(drawn)
    left, right = (half[:, :150], half[:, 150:])
    assert (left.min(axis=2) < 200).sum() > 5 * max((right.min(axis=2) < 200).sum(), 1)
    drawn.clip(None)

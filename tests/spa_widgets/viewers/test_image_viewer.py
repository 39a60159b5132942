"""The flat viewer without a browser: a napari model, and the pictures and points that are sent of it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spa_widgets import ImageViewer
from spa_widgets.errors import UserError
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.viewers.flat.pictures import Stack
from tests.support.widget_data import add_members, make_classes, make_micrographs, make_picks


def decoded(viewer: ImageViewer, index: int) -> np.ndarray:
    _, (data,) = viewer._ask_picture(index, viewer.contrast, viewer.low_pass_A)
    return np.asarray(Image.open(io.BytesIO(data)))


def expected(image: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip((image.astype(np.float64) - low) / (high - low) * 255, 0, 255)


@pytest.fixture
def stack() -> np.ndarray:
    return np.random.default_rng(1).normal(2, 3, (5, 24, 40)).astype(np.float32)


def test_its_state_is_a_flat_napari_model(stack: np.ndarray) -> None:
    from napari.components import ViewerModel

    viewer = ImageViewer(stack[0], picks=np.array([[30.0, 5.0]]))
    assert isinstance(viewer.model, ViewerModel) and viewer.dims.ndisplay == 2
    assert np.array_equal(viewer.layers["micrograph"].data, stack[0])
    assert np.allclose(viewer.layers["picks"].data, [[5, 30]]), "napari has y before x"
    assert np.allclose(viewer._points(0), [[30, 5, 0]])


def test_the_picture_sent_is_the_array_between_black_and_white(stack: np.ndarray) -> None:
    viewer = ImageViewer(stack)
    viewer.layers["images"].contrast_limits = (-1.0, 4.0)
    assert viewer.contrast == [-1.0, 4.0]
    for index in (0, 3):
        assert np.abs(decoded(viewer, index) - expected(stack[index], -1, 4)).max() <= 0.51
    version = viewer.version
    viewer.layers["images"].data = 2 * stack
    assert viewer.version > version
    assert np.abs(decoded(viewer, 1) - expected(2 * stack[1], -1, 4)).max() <= 0.51


def test_slider_and_dims_move_each_other(stack: np.ndarray) -> None:
    viewer = ImageViewer(stack)
    assert (viewer.current, viewer.dims.point[0]) == (0, 0)
    viewer.dims.set_point(0, 3)
    assert viewer.current == 3
    viewer.set_state({"current": 1})  # as a page does
    assert viewer.dims.point[0] == 1
    viewer.set_state({"contrast": [0.0, 1.5]})
    assert tuple(viewer.layers["images"].contrast_limits) == (0.0, 1.5)
    viewer.next()
    assert viewer.dims.point[0] == 2
    with pytest.raises(UserError, match="there is no picture 5; there are 0 to 4"):
        viewer.show(5)


def test_points_come_and_go_by_naparis_api(stack: np.ndarray) -> None:
    viewer = ImageViewer(stack)
    viewer.add_points(np.array([[2, 7.0, 9.0], [4, 1.0, 3.0]]), size=6, name="marks")
    assert np.allclose(viewer._points(2), [[9, 7, 0]]) and not len(viewer._points(0))
    assert viewer._ask_points(2)[0] == {"radius_px": 3.0}
    assert viewer.shown == [{"name": "images", "visible": True}, {"name": "marks", "visible": True}]
    viewer._ask_visible("marks", False)
    assert viewer.layers["marks"].visible is False and not len(viewer._points(2))
    viewer.layers.remove("marks")
    viewer.layers["images"].visible = False
    assert not decoded(viewer, 2).any()
    assert [each["name"] for each in viewer.shown] == ["images"]


def test_micrographs_with_picks_are_read_one_at_a_time(tmp_path: Path) -> None:
    star = make_micrographs(tmp_path)
    viewer = ImageViewer(star, picks=make_picks(star), low_pass_A=0)
    layer = viewer.layers["micrograph"]
    assert isinstance(layer.data, Stack) and layer.data.shape == (viewer.count, 256, 256)
    viewer.show("mic_0002")
    image, _ = read_mrc(tmp_path / "mic_0002.mrc")
    assert viewer.current == 1 and np.array_equal(layer.data[1], image)
    assert np.abs(decoded(viewer, 1) - expected(image, *viewer.contrast)).max() <= 0.51
    assert len(viewer._points(1)) == 25
    assert "mic_0002.mrc, picture 2 of" in viewer.static_html() and "25 points" in viewer.static_html()


def test_micrographs_of_several_shapes_are_each_shown_whole(tmp_path: Path) -> None:
    """Lying, standing and small ones, each with its own pixel size: no padding is drawn, circles keep their width."""
    rng = np.random.default_rng(2)
    sizes = {"lying.mrc": (60, 100, 2.0), "standing.mrc": (120, 40, 4.0), "small.mrc": (31, 33, 1.0)}
    images = {name: rng.normal(5, 1, (h, w)).astype(np.float32) for name, (h, w, _) in sizes.items()}
    for name, image in images.items():
        write_mrc(tmp_path / name, image, sizes[name][2])
    picks = {name: np.array([[10.0, 20.0]]) for name in sizes}
    paths = [tmp_path / name for name in sizes]
    viewer = ImageViewer(paths, picks=picks, low_pass_A=0, diameter_A=40)
    assert viewer.layers["micrograph"].data.shape == (3, 120, 100)
    for number, (name, image) in enumerate(images.items()):
        viewer.show(name)
        facts, _ = viewer._ask_picture(number, viewer.contrast, viewer.low_pass_A)
        assert (facts["height"], facts["width"]) == image.shape
        assert np.abs(decoded(viewer, number) - expected(image, *viewer.contrast)).max() <= 0.51
        assert viewer._radius_px(number) == pytest.approx(20 / sizes[name][2])
    assert "small.mrc, picture 3 of 3; 1 points" in viewer.static_html()
    padded = viewer.layers["micrograph"].data[2]
    assert padded.shape == (120, 100) and padded[100, 90] == pytest.approx(images["small.mrc"].mean())
    # one that cannot be read is told when it is its turn
    paths[1].write_bytes(b"nothing")
    damaged = ImageViewer(paths, low_pass_A=0)
    assert damaged._ask_picture(2, damaged.contrast, 0.0)[0]["height"] == 31
    with pytest.raises(UserError, match=r"standing\.mrc has 7 bytes"):
        damaged._ask_picture(1, damaged.contrast, 0.0)


def test_class_averages_and_particles_are_stacks(tmp_path: Path) -> None:
    folder = make_classes(tmp_path)
    add_members(folder)
    for file, name in (("class_averages.mrcs", "classes"), ("particles.star", "particles")):
        viewer = ImageViewer(folder / file)
        images, _ = read_mrc((folder / file).with_suffix(".mrcs"))
        assert viewer.count == len(images)
        viewer.dims.set_point(0, 2)
        assert np.array_equal(viewer.layers[name].data[2], images[2])
        assert np.abs(viewer.picture() - expected(images[2], *viewer.contrast)).max() <= 0.51
    assert next(iter(ImageViewer(folder).layers)).name == "classes"


def test_its_code_reproduces_the_view(stack: np.ndarray) -> None:
    viewer = ImageViewer(stack)
    viewer.layers["images"].contrast_limits = (-2.0, 5.5)
    viewer.show(4)
    again = ImageViewer(stack)
    exec(viewer.code(), {"viewer": again})
    assert np.array_equal(again.picture(), viewer.picture()) and again.dims.point[0] == 4


def test_what_is_no_picture_is_told(stack: np.ndarray) -> None:
    with pytest.raises(UserError, match=r"shape \(4,\); give a picture"):
        ImageViewer(np.zeros(4))
    with pytest.raises(UserError, match=r"shape \(1, 3\); give x and y"):
        ImageViewer(stack[0], picks=np.zeros((1, 3)))
    with pytest.raises(UserError, match="no names; give a number from 0 to 4"):
        ImageViewer(stack).show("first")

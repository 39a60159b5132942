"""napari's own drawing of a model without a window: its vispy layers on a canvas of EGL.

The only place that touches napari's private modules. Only :mod:`render_process` imports it, after it has set what
vispy, OpenGL and Qt (which napari's text needs, though nothing is shown) must know before they are imported.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from napari._vispy.camera import VispyCamera
from napari._vispy.utils.visual import create_vispy_layer
from napari.components import ViewerModel
from numpy.typing import NDArray
from vispy import gloo
from vispy.app import Application
from vispy.scene import SceneCanvas

from spa_widgets.viewers.volume.mirror import camera_of
from spa_widgets.viewers.volume.stand_in import StandIn, wants_stand_in

_SOFTWARE = ("llvmpipe", "softpipe", "swiftshader", "swrast")


class NapariScene:
    """A canvas that shows a ViewerModel.

    Parameters
    ----------
    model : napari.components.ViewerModel
    """

    def __init__(self, model: ViewerModel) -> None:
        self.model = model
        self.ratio = 1.0
        self._canvas = SceneCanvas(size=(640, 480), show=False, app=Application("egl"), keys=None)
        self._view = self._canvas.central_widget.add_view(border_width=0)
        self._camera = VispyCamera(self._view, camera_of(model), model.dims)
        self._canvas.context.set_depth_func("lequal")
        self._visuals: dict[Any, Any] = {}
        self._stand_ins: dict[Any, StandIn] = {}
        self._font = _font()
        self.renderer = str(gloo.gl.glGetParameter(gloo.gl.GL_RENDERER))
        self.in_software = any(name in self.renderer.lower() for name in _SOFTWARE)
        for layer in model.layers:
            self._add(layer)
        self._order()
        model.layers.events.inserted.connect(self._inserted)
        model.layers.events.removed.connect(lambda event: self._remove(event.value))
        model.layers.events.reordered.connect(lambda _event: self._order())

    def _inserted(self, event: Any) -> None:
        self._add(event.value)
        self._order()

    def _add(self, layer: Any) -> None:
        drawn = layer
        if self.in_software and wants_stand_in(layer):
            self._stand_ins[layer] = StandIn(layer, self.model)
            drawn = self._stand_ins[layer].surface
        visual = create_vispy_layer(drawn, font_info=self._font) if self._font else create_vispy_layer(drawn)
        visual.node.parent = self._view.scene
        self._visuals[layer] = visual
        layer.events.visible.connect(lambda _event: self._order())

    def _remove(self, layer: Any) -> None:
        visual = self._visuals.pop(layer, None)
        self._stand_ins.pop(layer, None)
        if visual is not None:
            visual.node.parent = None
            visual.close()
            self._order()

    def _order(self) -> None:
        """Tell each layer its place; the first one that is seen has nothing to be blended with."""
        first = True
        for place, layer in enumerate(self.model.layers):
            visual = self._visuals.get(layer)
            if visual is None:
                continue
            visual.order = place
            visual.first_visible = first and layer.visible
            first = first and not layer.visible
            visual._on_blending_change()
        self._canvas._draw_order.clear()

    def _light(self) -> None:
        """Put the light behind the viewer's left shoulder, as the browser's view has it."""
        camera = camera_of(self.model)
        view, up = (np.asarray(vector, float)[::-1] for vector in (camera.view_direction, camera.up_direction))
        direction = 0.75 * view - 0.6 * up + 0.45 * np.cross(view, up)
        for visual in self._visuals.values():
            shading = getattr(visual.node, "shading_filter", None)
            if shading is not None:
                shading.light_dir = tuple(direction)

    def set_ground(self, colour: str) -> None:
        """Set the colour behind everything (#rrggbb)."""
        self._canvas.bgcolor = colour

    def draw(self, width_px: int, height_px: int, zoom: float | None = None) -> NDArray[np.uint8]:
        """Draw the model.

        Parameters
        ----------
        width_px, height_px : int
            Size of the picture.
        zoom : float, optional
            Pixels of the picture for one world unit; everything fits if not given.

        Returns
        -------
        array, shape (height_px, width_px, 3), uint8
        """
        if tuple(self._canvas.size) != (width_px, height_px):
            self._canvas.size = (width_px, height_px)
            self._canvas.events.resize(size=(width_px, height_px), physical_size=(width_px, height_px))  # EGL is silent
        self._camera._on_ndisplay_change()
        if zoom is None:
            low, high = self.model.layers.extent.world
            zoom = 0.9 * min(width_px, height_px) / max(math.dist(low, high), 1e-6)
        self._camera.zoom = zoom
        for stand_in in self._stand_ins.values():
            stand_in.update()
        self._light()
        return np.ascontiguousarray(self._canvas.render(alpha=False, bgcolor=self._canvas.bgcolor)[..., :3])


def _font() -> Any:
    """Give the font that the layers of napari 0.9 ask for; None where they bring their own."""
    try:
        from napari._vispy.utils.qt_font import FontInfo, QtFontManager
    except ImportError:
        return None
    from qtpy.QtGui import QGuiApplication

    global _application
    _application = QGuiApplication.instance() or QGuiApplication([])
    return FontInfo(face="sans-serif", font_manager=QtFontManager())


_application: Any = None  # Qt must not collect it

"""VolumeViewer: napari in the notebook. The state is a napari ViewerModel; the browser, or napari itself, draws it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import traitlets

from engine.volume_display import central_slices, shaded_surface
from spa_widgets.errors import UserError
from spa_widgets.viewers.base import Answer, bundle
from spa_widgets.viewers.encode import img_tag
from spa_widgets.viewers.volume import objects
from spa_widgets.viewers.volume.cameras import VIEWS
from spa_widgets.viewers.volume.looks import Looks
from spa_widgets.viewers.volume.maps import mrc_bytes, pack_between
from spa_widgets.viewers.volume.model import camera_of, colormap


class VolumeViewer(Looks):
    """Look at maps in three dimensions.

    ``viewer.layers``, ``viewer.camera`` and ``viewer.dims`` are napari's own objects: what is changed there is seen in
    the browser and the other way round. Levels are in map units:
    ``viewer.layers["map"].iso_threshold = 0.02``. Points and surfaces come by napari's ``add_points`` and
    ``add_surface``; every other kind of layer by ``viewer.model``, drawn with ``renderer="napari"``.

    Parameters
    ----------
    *volumes : job, output of a job, path, or array of shape (z, y, x)
        The maps. A refinement shows its sharpened map.
    names : sequence of str, optional
        A name for each.
    levels : sequence of float, optional
        Contour level of each in map units; mean + 3 standard deviations if not given.
    colours : sequence of str, optional
        ``#rrggbb`` for each.
    visible : sequence of bool, optional
        Which are shown at first; all if not given. The others wait in the list for a tick.
    styles : sequence of str, optional
        ``"surface"`` or ``"mesh"`` for each.
    pixel_size_A : float, optional
        Å per voxel where the files do not say it.
    renderer : str
        ``"browser"``, or ``"napari"``: napari's own drawing without a screen, streamed as pictures. Where it is not
        installed the viewer says how to get it and the browser draws.
    **options
        ``step`` (contour every n-th voxel), ``language``.
    """

    _esm = bundle("volume")
    step = traitlets.Int(1, min=1, max=8).tag(sync=True)
    camera_group = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        *volumes: Any,
        names: Sequence[str] | None = None,
        levels: Sequence[float] | None = None,
        colours: Sequence[str] | None = None,
        visible: Sequence[bool] | None = None,
        styles: Sequence[str] | None = None,
        pixel_size_A: float | None = None,
        renderer: str = "browser",
        **options: Any,
    ) -> None:
        if not volumes:
            raise UserError("there is no volume to show; give a job, a file or an array")
        given = {"names": names, "levels": levels, "colours": colours, "visible": visible, "styles": styles}
        super().__init__(pixel_size_A, given, **options)
        self._volumes = volumes
        self._linked: list[VolumeViewer] = []
        self._set_renderer(renderer)
        self._when_ready(volumes, self._load)

    def _load(self) -> None:
        for place, source in enumerate(self._volumes):
            volume, pixel_size_A, name = self._read(source)
            self._add(volume, pixel_size_A, self._pick("names", place, name), place)
        self._refresh()

    # ---- napari's API --------------------------------------------------------------------------------------------
    @property
    def layers(self) -> Any:
        """Napari's list of layers."""
        return self.model.layers

    @property
    def camera(self) -> Any:
        """Napari's camera."""
        return camera_of(self.model)

    @property
    def dims(self) -> Any:
        """Napari's dimension sliders."""
        return self.model.dims

    def add_image(self, data: Any, **options: Any) -> Any:
        """Add a map by napari's ``add_image``; drawn as an isosurface unless ``rendering`` says otherwise."""
        return self.model.add_image(data, **{"rendering": "iso", **options})

    def add_points(self, data: Any, **options: Any) -> Any:
        """Add points by napari's ``add_points``: places z, y, x in Å."""
        return self.model.add_points(data, **options)

    def add_surface(self, data: Any, **options: Any) -> Any:
        """Add triangles by napari's ``add_surface``: (vertices z, y, x in Å; triangles; values)."""
        return self.model.add_surface(data, **options)

    # ---- what a click does -----------------------------------------------------------------------------------------
    def add_volume(
        self, volume: Any, name: str | None = None, level: float | None = None, colour: str | None = None
    ) -> Any:
        """Add a map from a job, a file or an array and give its napari layer."""
        self.model  # noqa: B018 - a layer needs napari
        data, pixel_size_A, own = self._read(volume)
        shown = self._add(data, pixel_size_A, name or own, len(self._shown))
        layer = self._layer_of[shown.key]
        if level is not None:
            layer.iso_threshold = float(level)
        if colour is not None:
            layer.colormap = colormap(colour)
        self._refresh()
        return layer

    def look_along(self, axis: str) -> None:
        """Look along ``"x"``, ``"y"`` or ``"z"``: what the keys x, y, z do."""
        if axis not in VIEWS:
            raise UserError(f"there is no axis {axis!r}; give x, y or z")
        self._need()
        self._turn(view=VIEWS[axis][0], up=VIEWS[axis][1])

    def fit(self) -> None:
        """Show everything: what the key 0 does."""
        self._need()
        self._turn(zoom=None, centre=None, view=VIEWS["z"][0], up=VIEWS["z"][1])

    def link_cameras(self, *others: VolumeViewer) -> None:
        """Turn these viewers together, here and in every view of them."""
        group = self.camera_group or f"cameras-{self.model_id}"
        together = {id(each): each for each in (self, *others, *self._linked)}
        for viewer in together.values():
            viewer._linked = [each for each in together.values() if each is not viewer]
            viewer.camera_group = group

    def unlink_cameras(self) -> None:
        """Turn alone again."""
        for other in self._linked:
            other._linked.remove(self)
        self._linked, self.camera_group = [], ""

    def _turn(self, **changes: Any) -> None:
        super()._turn(**changes)
        for other in self._linked:
            with other._lock:
                super(VolumeViewer, other)._turn(**changes)

    def code(self) -> str:
        """Give the levels and looks as Python that reproduces them."""
        self._need()
        lines = []
        for each in self._shown:
            extras = {"style": each.style, "clip": each.clip, "colour_by": each.colour_by, "contrast": each.contrast}
            usual = {"style": "surface"}
            more = "".join(f", {what}={value!r}" for what, value in extras.items() if value != usual.get(what))
            lines.append(
                f"viewer.set({each.name!r}, level={each.level:.5g}, opacity={each.opacity:.3g}, "
                f"visible={each.visible}, colour={each.colour!r}{more})"
            )
        seen = self._read_camera()
        view, up = (tuple(round(float(v), 4) for v in vector) for vector in (seen.view, seen.up))
        lines.append(f"viewer.camera.set_view_direction({view}, {up})")
        if seen.zoom is not None:
            lines.append(f"viewer.camera.zoom = {seen.zoom:.5g}")
        return "\n".join(lines)

    def static_html(self) -> str:
        """Give each map's surface from three sides, and its central slices."""
        self._need()
        rows = []
        for shown in self._shown:
            if not shown.visible:
                continue
            data = shown.volume
            sides = (data, np.transpose(data, (1, 0, 2))[::-1], np.transpose(data, (2, 0, 1)))
            pictures = [np.asarray(shaded_surface(side, shown.level)) for side in sides]
            slices = [picture[::-1] for picture in central_slices(data)]
            images = "".join(img_tag(picture, shown.name, 150, quality=80) for picture in [*pictures, *slices])
            text = f"surface at {shown.level:.3g} seen along z, y and x; central slices"
            rows.append(f"<div><b>{escape(shown.name)}</b>: {text}<br>{images}</div>")
        return "".join(rows)

    # ---- questions from the views --------------------------------------------------------------------------------
    def _ask_volume(self, key: str) -> Answer:
        self._need()
        found = self._quantised.get(key)
        if found is None:
            raise UserError("this map is no longer in the viewer; reload the page")
        return found.facts(), [found.packed]

    def _ask_values(self, key: str, low: float, high: float) -> Answer:
        """Give the values of a map that colours another one."""
        self._need()
        found = next((shown for shown in self._shown if shown.key == key), None)
        if found is None:
            raise UserError("this map is no longer in the viewer; reload the page")
        facts, packed = pack_between(found.volume, low, high)
        return facts, [packed]

    def _ask_object(self, key: str) -> Answer:
        layer = self._object_of.get(key)
        if layer is None:
            raise UserError("this layer is no longer in the viewer; reload the page")
        return objects.buffers(layer)

    def _ask_mrc(self, key: str) -> Answer:
        """Give a map as a file to keep, as it was read."""
        self._need()
        found = next((shown for shown in self._shown if shown.key == key), None)
        if found is None:
            raise UserError("this map is no longer in the viewer; reload the page")
        return {"name": f"{found.name}.mrc"}, [mrc_bytes(found.volume, found.pixel_size_A)]

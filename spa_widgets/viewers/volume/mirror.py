"""Two napari models in two processes that show the same: what changes in one travels to the other in small messages.

Only napari's public interface is used (layers as tuples, events, attributes), so every kind of layer is mirrored.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

Message = tuple[Any, ...]
# what a camera and the dimension sliders are made of; the order matters: angles are read in an orientation
CAMERA = ("orientation", "perspective", "angles", "center", "zoom")
DIMS = ("ndisplay", "point")
_QUIET = {"thumbnail", "set_data", "_extent_augmented", "loaded", "mode", "cursor", "cursor_size", "help", "status"}


def camera_of(model: Any) -> Any:
    """Give the camera of a model, where this version of napari keeps it."""
    return model.scene.camera if hasattr(model, "scene") else model.camera


class Mirror:
    """Notes what changes in a ViewerModel, and applies what has changed in its twin.

    Parameters
    ----------
    model : napari.components.ViewerModel
    wake : callable
        Called, on whatever thread, when there is something to :meth:`take`.
    prefix : str
        Start of the keys of layers that are added on this side; the twin needs another one.
    without : sequence of str
        What of the camera each side keeps for itself: ``"zoom"`` where the two canvases differ in size.
    """

    def __init__(self, model: Any, wake: Callable[[], None], prefix: str, without: Sequence[str] = ()) -> None:
        self.model, self._wake, self._prefix = model, wake, prefix
        self._camera_names = tuple(name for name in CAMERA if name not in without)
        self._lock = threading.RLock()
        self._keys: dict[Any, str] = {}
        self._states: dict[str, dict[str, bytes]] = {}
        self._data: dict[str, Any] = {}
        self._dirty: set[str] = set()
        self._count = 0
        self._applying = False
        self._pending: list[Message] = []
        for layer in model.layers:
            self._met(layer)
        self._camera_state = self._read(camera_of(model), self._camera_names)
        self._dims_state = self._read(model.dims, DIMS)
        model.layers.events.inserted.connect(self._inserted)
        model.layers.events.removed.connect(self._removed)
        model.layers.events.reordered.connect(self._changed)
        camera_of(model).events.connect(self._changed)
        model.dims.events.connect(self._changed)

    # ---- this side -----------------------------------------------------------------------------------------------
    def everything(self) -> list[Message]:
        """Give the messages that make an empty model show what this one shows."""
        with self._lock:
            self._dirty.clear()
            self._pending.clear()
            layers = [self._added(layer) for layer in self.model.layers]
            dims, camera = self._read(self.model.dims, DIMS), self._read(camera_of(self.model), self._camera_names)
            return [*layers, ("dims", dims), ("camera", camera)]

    def take(self) -> list[Message]:
        """Give what has changed since it was last taken."""
        with self._lock:
            messages, self._pending = self._pending, []
            dirty, self._dirty = self._dirty, set()
            for layer, key in self._keys.items():
                if key in dirty:
                    messages.extend(self._differences(layer, key))
            for what, owner, names in self._parts():
                state = self._read(owner, names)
                known = self._camera_state if what == "camera" else self._dims_state
                changed = {name: value for name, value in state.items() if known.get(name) != value}
                known.update(changed)
                if changed:
                    messages.append((what, changed))
            return messages

    def key_of(self, layer: Any) -> str | None:
        """Give the key under which both sides know a layer."""
        return self._keys.get(layer)

    def _parts(self) -> tuple[tuple[str, Any, tuple[str, ...]], ...]:
        return (("dims", self.model.dims, DIMS), ("camera", camera_of(self.model), self._camera_names))

    @staticmethod
    def _read(owner: Any, names: tuple[str, ...]) -> dict[str, Any]:
        return {name: _plain(getattr(owner, name)) for name in names}

    def _met(self, layer: Any, key: str | None = None) -> str:
        if key is None:
            self._count += 1
            key = f"{self._prefix}{self._count}"
        self._keys[layer] = key
        self._remember(layer, key)
        layer.events.connect(self._layer_changed)
        planes = getattr(layer, "experimental_clipping_planes", None)
        if planes is not None:
            planes.events.connect(lambda _event=None: self._mark(key))
        return key

    def _remember(self, layer: Any, key: str) -> None:
        self._states[key], self._data[key] = _packed(_state(layer)), layer.data

    def _added(self, layer: Any) -> Message:
        key = self._keys[layer]
        self._remember(layer, key)
        _data, _whole, kind = layer.as_layer_data_tuple()
        return ("add", key, list(self.model.layers).index(layer), kind, layer.data, _state(layer))

    def _differences(self, layer: Any, key: str) -> Iterable[Message]:
        state = _state(layer)
        packed, known = _packed(state), self._states[key]
        changed = {name: state[name] for name in packed if packed[name] != known.get(name)}
        if layer.data is not self._data[key]:
            yield ("data", key, layer.data)
        if changed:
            yield ("change", key, changed)
        self._states[key], self._data[key] = packed, layer.data

    def _mark(self, key: str) -> None:
        if not self._applying:
            with self._lock:
                self._dirty.add(key)
            self._wake()

    def _layer_changed(self, event: Any) -> None:
        key = self._keys.get(getattr(event, "source", None))
        if key is not None and event.type not in _QUIET:
            self._mark(key)

    def _changed(self, event: Any = None) -> None:
        if self._applying:
            return
        if getattr(event, "type", "") == "reordered":
            self._pending.append(("order", [self._keys[layer] for layer in self.model.layers]))
        self._wake()

    def _inserted(self, event: Any) -> None:
        if not self._applying:
            with self._lock:
                self._met(event.value)
                self._pending.append(self._added(event.value))
            self._wake()

    def _removed(self, event: Any) -> None:
        key = self._keys.pop(event.value, None)
        if key is not None:
            self._states.pop(key, None)
            self._data.pop(key, None)
            if not self._applying:
                self._pending.append(("remove", key))
                self._wake()

    # ---- the other side ------------------------------------------------------------------------------------------
    def apply(self, messages: Iterable[Message]) -> None:
        """Do here what was done there, without telling it back."""
        with self._lock:
            self._applying = True
            try:
                for what, *rest in messages:
                    getattr(self, f"_apply_{what}")(*rest)
            finally:
                self._applying = False

    def _layer(self, key: str) -> Any | None:
        return next((layer for layer, own in self._keys.items() if own == key), None)

    def _apply_add(self, key: str, index: int, kind: str, data: Any, state: dict[str, Any]) -> None:
        from napari.layers import Layer

        if self._layer(key) is not None:
            return
        layer = Layer.create(data, state, kind)
        self.model.layers.insert(min(index, len(self.model.layers)), layer)
        self._met(layer, key)

    def _apply_remove(self, key: str) -> None:
        layer = self._layer(key)
        if layer is not None:
            self.model.layers.remove(layer)

    def _apply_data(self, key: str, data: Any) -> None:
        layer = self._layer(key)
        if layer is not None:
            layer.data = data
            self._remember(layer, key)

    def _apply_change(self, key: str, changed: dict[str, Any]) -> None:
        layer = self._layer(key)
        if layer is None:
            return
        for name, value in changed.items():
            with suppress(AttributeError):  # some states of a layer can only be given when it is made
                setattr(layer, name, value)
        self._remember(layer, key)

    def _apply_order(self, keys: list[str]) -> None:
        places = {key: place for place, key in enumerate(keys)}
        wanted = sorted(self.model.layers, key=lambda layer: places.get(self._keys[layer], len(places)))
        for place, layer in enumerate(wanted):
            if self.model.layers[place] is not layer:
                self.model.layers.move(list(self.model.layers).index(layer), place)

    def _apply_dims(self, changed: dict[str, Any]) -> None:
        self._put(self.model.dims, DIMS, changed, self._dims_state)

    def _apply_camera(self, changed: dict[str, Any]) -> None:
        self._put(camera_of(self.model), self._camera_names, changed, self._camera_state)

    def _put(self, owner: Any, names: tuple[str, ...], changed: dict[str, Any], known: dict[str, Any]) -> None:
        for name in names:
            if name in changed:
                setattr(owner, name, changed[name])
        known.update(self._read(owner, names))


def _plain(value: Any) -> Any:
    """Give an attribute as numbers and strings that two versions of napari agree on."""
    if isinstance(value, tuple | list):
        return tuple(_plain(each) for each in value)
    return getattr(value, "value", value)


def _state(layer: Any) -> dict[str, Any]:
    """Give what a layer is made of besides its data; what cannot travel stays here."""
    _data, state, _kind = layer.as_layer_data_tuple()
    return {name: value for name, value in dict(state).items() if _pickled(value) is not None}


def _packed(state: dict[str, Any]) -> dict[str, bytes]:
    return {name: _pickled(value) or b"" for name, value in state.items()}


def _pickled(value: Any) -> bytes | None:
    try:
        return pickle.dumps(value)
    except Exception:  # whatever a person keeps in a layer's metadata: it is not drawn
        return None

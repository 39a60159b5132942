"""The base of every widget: a question-and-answer link to its views, a lock, waiting for its input, static pictures."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from spa_widgets.errors import UserError
from spa_widgets.viewers import sources

STATIC = Path(__file__).parents[1] / "static"
_log = logging.getLogger(__name__)

_NOT_BUILT = """
export default {{ render({{ el }}) {{
  el.textContent = "This widget is not built: run python -m spa_widgets.build_static ({name}.js)";
}} }};
"""

Answer = tuple[dict[str, Any], list[bytes]]


def bundle(name: str) -> Path | str:
    """Give the ES module of a widget, or a module that says how to build it: a headless notebook needs none."""
    path = STATIC / f"{name}.js"
    return path if path.exists() else _NOT_BUILT.format(name=name)


def default_language() -> str:
    """Language of the labels: ``SPA_LANGUAGE`` (en, ja), or ``auto`` to follow the page."""
    wanted = os.environ.get("SPA_LANGUAGE", "auto")
    return wanted if wanted in ("en", "ja") else "auto"


def _answer_on_the_asking_thread(comm: Any) -> None:
    """Have every message of a view handled on the kernel's thread that the view sent it to.

    JupyterLab sends a view's messages to a thread beside the one that runs cells. ipykernel (7.4) sends them on to the
    cells' thread as soon as a cell, or a thread that it started, has changed the widget; there they would wait until
    the cell ends. All handlers of these widgets are under a lock, so they need not.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _data, asked: asked


class SpaWidget(anywidget.AnyWidget):
    """A widget whose state is in Python and whose views ask for what they show.

    A view's question ``name`` is answered by the method ``_ask_<name>(**args)``; it returns a dictionary for JSON, or
    one and a list of binary buffers. An error becomes one sentence in the view. All questions and all public
    methods run under one lock, because JupyterLab may deliver messages on another thread than the cell's.
    """

    language = traitlets.Unicode("auto").tag(sync=True)
    waiting = traitlets.Unicode("").tag(sync=True)

    def __init__(self, **kwargs: Any) -> None:
        known = self.class_trait_names()
        unknown = [name for name in kwargs if name not in known]
        if unknown:
            raise UserError(
                f"{type(self).__name__} has no option {unknown[0]!r}; it has {', '.join(self.option_names()) or 'none'}"
            )
        kwargs.setdefault("language", default_language())
        self._lock = threading.RLock()
        self._loader: threading.Thread | None = None
        self._load_error: BaseException | None = None
        super().__init__(**kwargs)
        _answer_on_the_asking_thread(self.comm)
        self.on_msg(self._receive)

    @classmethod
    def option_names(cls) -> list[str]:
        """Names of the options of this widget (its own traits that a view sees)."""
        base = set(anywidget.AnyWidget.class_trait_names())
        return sorted(name for name in cls.class_trait_names(sync=True) if name not in base)

    # ---- input that may still be computed ------------------------------------------------------------------------
    def _when_ready(self, inputs: Iterable[Any], load: Callable[[], None]) -> None:
        """Load now if the input jobs are done, else in the background when they are; views show what they wait for."""
        pending = [item for item in inputs if not sources.is_ready(item)]
        if not pending:
            load()
            return
        self.waiting = " · ".join(sources.describe(item) for item in pending) + " …"

        def wait_and_load() -> None:
            try:
                for item in pending:
                    sources.wait_for(item)
                load()
                self.waiting = ""
            except Exception as problem:
                self._load_error = problem
                self.waiting = str(problem)

        self._loader = threading.Thread(target=wait_and_load, name=f"load {type(self).__name__}", daemon=True)
        self._loader.start()

    def _need(self) -> None:
        """Wait until the input is there; every public method that looks at data calls this first."""
        if self._loader is not None and threading.current_thread() is not self._loader:
            self._loader.join()
        if self._load_error is not None:
            raise self._load_error

    # ---- questions from the views --------------------------------------------------------------------------------
    def _receive(self, _widget: Any, content: dict[str, Any], buffers: list[memoryview]) -> None:
        name, number = content.get("ask"), content.get("id")
        if not isinstance(name, str):
            return
        try:
            handler = getattr(self, f"_ask_{name}", None)
            if handler is None:
                raise UserError(
                    f"this widget has no question {name!r}; the page may be older than the kernel: reload it"
                )
            with self._lock:
                reply = handler(**content.get("args", {}))
            body, out = reply if isinstance(reply, tuple) else (reply or {}, [])
            self.send({"reply": number, **body}, buffers=out)
        except Exception as problem:
            if not isinstance(problem, UserError | ValueError):
                _log.exception("answering %s of %s", name, type(self).__name__)
            self.send({"reply": number, "error": str(problem) or type(problem).__name__})

    def _tell(self, event: str, buffers: list[bytes] | None = None, **content: Any) -> None:
        """Send an event to every view."""
        self.send({"event": event, **content}, buffers=buffers or [])

    def _ask_code(self) -> dict[str, Any]:
        return {"code": self.code()}

    # ---- what every widget offers --------------------------------------------------------------------------------
    def code(self) -> str:
        """Give the decision this widget holds as a line of Python that reproduces it."""
        return ""

    def static_html(self) -> str:
        """Give a picture of the present state as HTML, for reports without a kernel; empty if there is none."""
        return ""

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """Offer the live view and, for pages without a kernel, a static picture."""
        bundle_of_views = super()._repr_mimebundle_(**kwargs)
        if not bundle_of_views or self.waiting:
            return bundle_of_views
        try:
            html = self.static_html()
        except Exception:  # a picture for the report must never keep the widget from showing
            _log.exception("static picture of %s", type(self).__name__)
            html = ""
        data, metadata = bundle_of_views if isinstance(bundle_of_views, tuple) else (bundle_of_views, {})
        return ({**data, "text/html": html} if html else data), metadata

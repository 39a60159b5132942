"""What the widgets on micrographs share: list, thumbnails, filtered picture, going from one to the next."""

from __future__ import annotations

from typing import Any

import traitlets

from spa_widgets.errors import UserError
from spa_widgets.viewers.base import Answer, SpaWidget
from spa_widgets.viewers.micrographs import Micrographs


class MicrographWidget(SpaWidget):
    """A widget that shows one of several micrographs with circles on it.

    A subclass sets ``_mics`` when its input is there, and calls :meth:`_show_list`.
    """

    micrographs = traitlets.List(traitlets.Dict()).tag(sync=True)
    counts = traitlets.List(traitlets.Int()).tag(sync=True)
    current = traitlets.Int(0, min=0).tag(sync=True)
    low_pass_A = traitlets.Float(20.0, min=0).tag(sync=True)
    high_pass_A = traitlets.Float(0.0, min=0).tag(sync=True)
    sigma = traitlets.Float(3.0, min=0.1, max=20).tag(sync=True)
    diameter_A = traitlets.Float(160.0, min=1).tag(sync=True)
    denoise = traitlets.Bool(False).tag(sync=True)
    can_submit = traitlets.Bool(False).tag(sync=True)

    _mics: Micrographs

    def __init__(self, session: Any, **options: Any) -> None:
        super().__init__(can_submit=session is not None, **options)
        self._session = session

    def _show_list(self, counts: list[int]) -> None:
        """Give the views the list of micrographs; the one to show must be in it."""
        self.current = min(self.current, self._mics.count - 1)
        self.micrographs, self.counts = self._mics.rows(), counts

    def next(self) -> None:
        """Go to the next micrograph."""
        self._need()
        self.current = min(self.current + 1, self._mics.count - 1)

    def previous(self) -> None:
        """Go to the micrograph before."""
        self.current = max(self.current - 1, 0)

    def show(self, name: str | int) -> None:
        """Go to a micrograph by its name or number: what a click in the list does."""
        self.current = self._index(name)

    def submit(self) -> Any:
        """Make the decision a job of the session and give it."""
        raise NotImplementedError

    def _index(self, name: str | int) -> int:
        self._need()
        return self._mics.index(name) if isinstance(name, str) else self._mics.checked(name)

    def _need_session(self, instead: str) -> Any:
        if self._session is None:
            raise UserError(f"this widget has no session; {instead}")
        return self._session

    # ---- questions from the views --------------------------------------------------------------------------------
    def _ask_image(self, index: int, low_pass_A: float, high_pass_A: float, denoise: bool) -> Answer:
        self._need()
        return self._mics.answer(index, low_pass_A, high_pass_A, denoise)

    def _ask_thumbnail(self, index: int) -> Answer:
        self._need()
        return {"index": index, "mime": "image/jpeg"}, [self._mics.thumbnail(index)]

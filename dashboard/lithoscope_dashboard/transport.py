"""What an open tab is told: a snapshot of its page, then what changes, each with a number.

A tab that has missed something sees it by the numbers, and asks for the snapshot again. All tabs
that look at the same share one rendering.
"""

import json
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from plotly.utils import PlotlyJSONEncoder

from lithoscope_dashboard.board import Snapshot
from lithoscope_dashboard.errors import ViewError
from lithoscope_dashboard.pages import PAGES
from lithoscope_dashboard.reach import Reach
from lithoscope_dashboard.shell import shell_sections
from lithoscope_dashboard.trees import drawn, is_drawn
from lithoscope_dashboard.view import View, parse_view

Message = dict[str, Any]  # JSON
KEPT = 64


@dataclass(slots=True)
class _Part:
    text: str
    changed: int


@dataclass(slots=True)
class _Rendered:
    """One view as it was rendered last; ``sequence`` rises with each change of any part."""

    view: View
    key: tuple[int, int] | None = None
    sequence: int = 0
    parts: dict[str, _Part] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Transport:
    """Renders views, and says what has changed in them.

    Parameters
    ----------
    reach
        What may be shown.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._rendered: OrderedDict[str, _Rendered] = OrderedDict()
        self._lock = threading.Lock()
        #: Tells the numbers of this process from those of one before.
        self.epoch = uuid.uuid4().hex[:12]

    def message(self, address: str, since: int = 0) -> Message | None:
        """Say what has changed in a view since a number; 0 gives all of it.

        Returns
        -------
        dict
            ``view``, ``epoch``, ``base`` (what it follows on), ``sequence`` and ``parts`` (by id
            of the element); or ``error``. None if nothing has changed.
        """
        head = {"view": address, "epoch": self.epoch, "base": since, "sequence": since}
        try:
            rendered = self._find(address)
            parts = self._render(rendered)
        except ViewError as error:
            return {**head, "base": 0, "sequence": 0, "error": str(error), "parts": {}}
        changed = {
            element: json.loads(part.text)
            for element, part in parts.items()
            if part.changed > since
        }
        if not changed:
            return None
        return {**head, "sequence": rendered.sequence, "parts": changed}

    def beat(self, address: str, since: int) -> Message:
        """Say that nothing has changed since a number, and that this is still so."""
        head = {"view": address, "epoch": self.epoch, "base": since, "sequence": since}
        return {**head, "parts": {}, "time_s": round(time.time(), 1)}

    def _snapshot(self, view: View) -> Snapshot:
        snapshot = self._reach.snapshot(view.experiment)
        other = view.option("compare")
        return replace(snapshot, other=self._reach.state(other)) if other else snapshot

    def _find(self, address: str) -> _Rendered:
        with self._lock:
            rendered = self._rendered.get(address)
            if rendered is None:
                view = parse_view(address)
                if view.page not in PAGES:
                    raise ViewError(f"there is no page {view.page}")
                rendered = self._rendered[address] = _Rendered(view)
            self._rendered.move_to_end(address)
            while len(self._rendered) > KEPT:
                self._rendered.popitem(last=False)
            return rendered

    def _render(self, rendered: _Rendered) -> dict[str, _Part]:
        """Render a view again if its snapshot or the second has changed."""
        with rendered.lock:
            now_s = time.monotonic()
            snapshot = self._snapshot(rendered.view)
            key = (snapshot.generation, int(now_s))
            if key != rendered.key:
                found = shell_sections(snapshot, rendered.view, now_s)
                found |= PAGES[rendered.view.page].sections(snapshot, rendered.view, now_s)
                _take(rendered, found)
                rendered.key = key
            return dict(rendered.parts)


def _take(rendered: _Rendered, found: Mapping[str, Mapping[str, Any]]) -> None:
    texts = {
        element: json.dumps(_payload(props), cls=PlotlyJSONEncoder, sort_keys=True)
        for element, props in found.items()
    }
    changed = {
        element
        for element, text in texts.items()
        if element not in rendered.parts or rendered.parts[element].text != text
    }
    if changed:
        rendered.sequence += 1
    for element in changed:
        rendered.parts[element] = _Part(texts[element], rendered.sequence)


def _payload(props: Mapping[str, Any]) -> Mapping[str, Any]:
    """Tell plain elements, which are drawn, from components, whose properties Dash sets."""
    return drawn(props) if is_drawn(props) else {"d": props}

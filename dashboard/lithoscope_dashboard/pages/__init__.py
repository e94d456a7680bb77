"""The pages: one module each, with its layout and what changes in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dash import Dash

from lithoscope_dashboard.board import Snapshot
from lithoscope_dashboard.pages import (
    decisions,
    experiments,
    kiosk,
    labels,
    live,
    maps,
    metrics,
    phone,
    setup,
    system,
    three_d,
)
from lithoscope_dashboard.reach import Reach
from lithoscope_dashboard.view import View

Component = Any  # Dash ships no types
Props = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page.

    Parameters
    ----------
    path
        Its address.
    name
        Its name in the bar; empty for a page that is not in it.
    key
        The key that opens it.
    layout
        Its structure; it does not depend on what is known.
    sections
        What changes in it: properties by the id of their element, from a snapshot, a view and
        the monotonic clock, s.
    register
        Wires callbacks of its own, if it has any.
    """

    path: str
    name: str
    key: str
    layout: Callable[[], Component]
    sections: Callable[[Snapshot, View, float], dict[str, Props]]
    register: Callable[[Dash, Reach], None] | None = None


_ALL = (
    Page(
        path="/",
        name="Live",
        key="1",
        layout=live.layout,
        sections=live.sections,
    ),
    Page(
        path="/metrics",
        name="Metrics",
        key="2",
        layout=metrics.layout,
        sections=metrics.sections,
        register=metrics.register,
    ),
    Page(path="/maps", name="Maps", key="3", layout=maps.layout, sections=maps.sections),
    Page(path="/3d", name="3-D", key="4", layout=three_d.layout, sections=three_d.sections),
    Page(
        path="/decisions",
        name="Decisions",
        key="5",
        layout=decisions.layout,
        sections=decisions.sections,
    ),
    Page(path="/system", name="System", key="6", layout=system.layout, sections=system.sections),
    Page(
        path="/experiments",
        name="Experiments",
        key="7",
        layout=experiments.layout,
        sections=experiments.sections,
    ),
    Page(path="/setup", name="Set-up", key="8", layout=setup.layout, sections=setup.sections),
    Page(path="/labels", name="Labels", key="9", layout=labels.layout, sections=labels.sections),
    Page(path="/kiosk", name="", key="", layout=kiosk.layout, sections=kiosk.sections),
    Page(path="/m", name="", key="", layout=phone.layout, sections=phone.sections),
)
#: By path, in the order of the bar.
PAGES: Mapping[str, Page] = {page.path: page for page in _ALL}

"""What is drawn in the browser, as plain JSON: Dash's html components in, trees out. Pure.

React builds a list anew when it is set; a click on a button that is exchanged meanwhile is lost.
So lists are sent as trees and drawn by ``assets/draw.js``, which keeps every node that stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dash.development.base_component import Component

from lithoscope_dashboard.errors import TreeError

Tree = Any  # JSON: a string, or {"t": tag, "a": attributes, "c": trees, "k": key}
_NAMES = {"className": "class", "htmlFor": "for", "colSpan": "colspan", "rowSpan": "rowspan"}
#: Tags that neither load nor run anything.
_TAGS = frozenset(
    (
        *(
            "a",
            "abbr",
            "article",
            "aside",
            "b",
            "br",
            "button",
            "caption",
            "code",
            "dd",
            "details",
        ),
        *("div", "dl", "dt", "em", "figcaption", "figure", "footer", "h1", "h2", "h3", "h4"),
        *("header", "hr", "i", "img", "label", "li", "main", "meter", "ol", "p", "pre"),
        *("progress", "section", "small", "span", "strong", "sub", "summary", "sup", "table"),
        *("tbody", "td", "tfoot", "th", "thead", "time", "tr", "u", "ul"),
    )
)
_SVG_TAGS = frozenset(
    (
        *("svg", "g", "path", "line", "polyline", "polygon", "rect", "circle", "ellipse", "text"),
        *("tspan", "title", "defs", "pattern"),
    )
)
#: Properties of Dash components that are drawn; all others are set by Dash itself.
_DRAWN = frozenset({"children", "className", "title", "hidden", "style", "role", "disabled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Svg:
    """An element of a drawing, where Dash has no component for it."""

    tag: str
    children: Sequence[Any] = ()
    attributes: Mapping[str, str | float] = field(default_factory=dict)


def is_drawn(props: Mapping[str, Any]) -> bool:
    """Whether properties are those of a plain element, and not of a component of Dash."""
    return all(name in _DRAWN or name.startswith(("data-", "aria-")) for name in props)


def drawn(props: Mapping[str, Any]) -> dict[str, Any]:
    """Write properties of a plain element: ``{"a": attributes, "c": trees}``.

    Raises
    ------
    TreeError
        If something in it may not be drawn.
    """
    found: dict[str, Any] = {"a": _attributes("div", props)}
    if "children" in props:
        found["c"] = _trees(props["children"])
    return found


def tree_of(component: Any) -> Tree:
    """Write one component, or a text, as a tree.

    Raises
    ------
    TreeError
        If it is no plain element, or links to somewhere else.
    """
    if isinstance(component, str | int | float):
        return str(component)
    if isinstance(component, Svg):
        if component.tag not in _SVG_TAGS:
            raise TreeError(f"<{component.tag}> cannot be drawn")
        attributes = {name: str(value) for name, value in component.attributes.items()}
        return {"t": component.tag, "s": 1, "a": attributes, "c": _trees(component.children)}
    if not isinstance(component, Component):
        raise TreeError(f"a {type(component).__name__} cannot be drawn; use dash.html")
    written = component.to_plotly_json()
    tag, props = written["type"].lower(), dict(written["props"])
    if written["namespace"] != "dash_html_components" or tag not in _TAGS:
        raise TreeError(f"{written['type']} cannot be drawn; put it into the layout of the page")
    tree: dict[str, Any] = {"t": tag, "a": _attributes(tag, props)}
    if props.get("key") is not None:
        tree["k"] = str(props["key"])
    children = _trees(props.get("children"))
    if children:
        tree["c"] = children
    return tree


def _trees(children: Any) -> list[Tree]:
    if children is None:
        return []
    if isinstance(children, list | tuple):
        return [tree for each in children for tree in _trees(each)]
    return [tree_of(children)]


def _attributes(tag: str, props: Mapping[str, Any]) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for name, value in props.items():
        if name in ("children", "key", "n_clicks") or (value is None and tag != "div"):
            continue
        if name == "style":
            attributes["style"] = {key: str(each) for key, each in (value or {}).items()}
        elif name in ("href", "src") and not _is_own(value):
            raise TreeError(f"{name} {value!r} leads elsewhere")
        elif isinstance(value, bool) and not name.startswith(("data-", "aria-")):
            attributes[_NAMES.get(name, name)] = value
        else:
            attributes[_NAMES.get(name, name)] = None if value is None else str(value)
    return attributes


def _is_own(address: object) -> bool:
    text = str(address)
    return text.startswith(("#", "?", "data:image/png")) or (
        text.startswith("/") and not text.startswith("//")
    )

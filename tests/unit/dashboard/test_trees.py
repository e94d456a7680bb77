"""What may be drawn in a browser, and what not."""

import json

import pytest
from dash import dcc, html

from lithoscope_dashboard.errors import TreeError
from lithoscope_dashboard.trees import Svg, drawn, is_drawn, tree_of


def test_a_text_with_markup_stays_a_text() -> None:
    tree = tree_of(html.P("<script>alert(1)</script>"))

    assert tree == {"t": "p", "a": {}, "c": ["<script>alert(1)</script>"]}


def test_names_of_properties_become_those_of_html() -> None:
    cell = html.Td("a", className="x", colSpan="2", **{"data-a": "1"})

    assert tree_of(cell)["a"] == {"class": "x", "colspan": "2", "data-a": "1"}


def test_nothing_stands_for_what_is_left_out() -> None:
    assert drawn({"children": [None, "a", [None, html.B("b")]]})["c"] == [
        "a",
        {"t": "b", "a": {}, "c": ["b"]},
    ]


def test_a_drawing_is_told_from_an_element() -> None:
    line = Svg(tag="svg", children=[Svg(tag="line", attributes={"x1": 0.5})])

    assert json.loads(json.dumps(tree_of(line)))["c"] == [
        {"t": "line", "s": 1, "a": {"x1": "0.5"}, "c": []}
    ]


@pytest.mark.parametrize(
    "bad",
    [
        html.A("x", href="javascript:alert(1)"),
        html.A("x", href="//evil.example/"),
        html.Img(src="https://evil.example/a.png"),
        html.Script("alert(1)"),
        html.Iframe(src="/"),
        dcc.Graph(),
        Svg(tag="script"),
        object(),
    ],
    ids=lambda bad: type(bad).__name__ if type(bad) is object else str(bad),
)
def test_what_loads_or_runs_something_is_not_drawn(bad: object) -> None:
    with pytest.raises(TreeError):
        tree_of(bad)


def test_properties_of_components_are_left_to_dash() -> None:
    assert is_drawn({"children": "a", "className": "b", "data-c": "d"})
    assert not is_drawn({"figure": {}})

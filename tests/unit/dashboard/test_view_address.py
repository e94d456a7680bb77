"""What the address of a tab names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithoscope_dashboard.errors import ViewError
from lithoscope_dashboard.view import View, parse_view


def test_an_address_names_page_experiment_scan_and_options() -> None:
    view = parse_view("/maps?experiment=cell-7&scan=3&map=gap")

    assert view == View(page="/maps", experiment="cell-7", scan=3, options=(("map", "gap"),))
    assert view.option("map") == "gap"


def test_the_bare_address_is_the_live_page() -> None:
    assert parse_view("") == parse_view("/") == View(page="/")


@pytest.mark.parametrize(
    "address",
    ["/?experiment=..%2Fetc", "/?scan=-1", "/?scan=99999", "/?x=<script>", "/?" + "a=1&" * 200],
)
def test_an_address_with_anything_else_is_refused(address: str) -> None:
    with pytest.raises(ViewError):
        parse_view(address)


@given(st.text(max_size=80))
def test_no_address_breaks_the_reader(address: str) -> None:
    try:
        view = parse_view(address)
    except ViewError:
        return

    assert isinstance(view, View)

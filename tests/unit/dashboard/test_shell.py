"""What surrounds the pages, and what all pages keep to."""

from collections.abc import Callable
from typing import Any

import pytest

from lithoscope_dashboard.alarm_view import alarm_cards, hold_card
from lithoscope_dashboard.board import Snapshot
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.pages import PAGES, Page
from lithoscope_dashboard.proposal_view import proposal_cards
from lithoscope_dashboard.shell import shell, shell_sections
from lithoscope_dashboard.trees import drawn, is_drawn
from lithoscope_dashboard.view import View

MakeState = Callable[..., ExperimentState]
RULE = {"id": "gap", "metric": "m", "set_value": 1.0}


def ids(component: Any) -> set[str]:
    """All ids in a component."""
    if isinstance(component, list | tuple):
        return {found for each in component for found in ids(each)}
    if component is None or isinstance(component, str):
        return set()
    own = {component.id} if isinstance(getattr(component, "id", None), str) else set()
    return own | ids(getattr(component, "children", None))


def asks(component: Any) -> set[str]:
    """All that can be asked for with the buttons in a component."""
    if isinstance(component, list | tuple):
        return {found for each in component for found in asks(each)}
    if component is None or isinstance(component, str):
        return set()
    own = {getattr(component, "data-ask")} if hasattr(component, "data-ask") else set()
    return own | asks(getattr(component, "children", None))


@pytest.fixture
def full(make_state: MakeState) -> ExperimentState:
    return make_state(
        ("ExperimentStarted", {"settings": {"rules": [RULE]}}),
        ("ScanStarted", {"scan": 0}),
        ("LabelsReady", {"scan": 0}),
        ("MetricsReady", {"scan": 0, "metrics": {"m": {"value": 9.0, "unit": "µm"}}}),
        ("ProposalMade", {"scan": 0, "proposal": "gap:0"}),
        ("BlindAlarm", {"scan": 0, "reason": "no gap", "key": "blind:0"}),
        ("StageFailed", {"scan": 0, "stage": "segment", "error": "no memory"}),
        ("ScanDecided", {"scan": 0, "verdict": "hold", "reason": "gap"}),
    )


@pytest.mark.parametrize("page", PAGES.values(), ids=lambda page: page.path)
def test_every_part_that_changes_has_its_place(page: Page, full: ExperimentState) -> None:
    view = View(page=page.path)
    places = ids(page.layout()) | ids(shell(tuple(PAGES.values())))

    for snapshot in (Snapshot(), Snapshot(experiment=full)):
        found = page.sections(snapshot, view, 0.0) | shell_sections(snapshot, view, 0.0)
        assert set(found) - places == set()
        assert all(drawn(props) for props in found.values() if is_drawn(props))


def test_what_waits_for_a_person_is_said_on_every_page(full: ExperimentState) -> None:
    parts = shell_sections(Snapshot(experiment=full), View(page="/"), 0.0)

    assert parts["open-alarms"]["children"] == "1 alarm"
    assert parts["open-proposals"]["children"] == "1 proposal waits"


def test_a_replay_says_so_and_has_nothing_to_press(full: ExperimentState) -> None:
    snapshot = Snapshot().of_stored(full)
    parts = shell_sections(snapshot, View(page="/"), 0.0)
    cards = [
        *proposal_cards(full, is_replay=True),
        *alarm_cards(full, is_replay=True),
        *hold_card(full, is_replay=True),
    ]

    assert parts["live-state"]["children"] == "STORED"
    assert parts["replay-note"]["children"].startswith("REPLAY")
    assert parts["lease-state"]["children"] == "actuators off"
    assert asks(cards) == set()
    assert asks(proposal_cards(full)) == {"approve", "reject"}


def test_the_phone_neither_arms_nor_approves(full: ExperimentState) -> None:
    phone = PAGES["/m"]
    found = phone.sections(Snapshot(experiment=full), View(page="/m"), 0.0)

    pressed = asks([props.get("children") for props in found.values()]) | asks(phone.layout())

    assert pressed == {"reject", "acknowledge"}


def test_the_wall_has_nothing_to_press_but_disarm(full: ExperimentState) -> None:
    wall = PAGES["/kiosk"]
    found = wall.sections(Snapshot(experiment=full), View(page="/kiosk"), 0.0)

    assert asks([wall.layout(), *(props.get("children") for props in found.values())]) == {
        "disarm"
    }

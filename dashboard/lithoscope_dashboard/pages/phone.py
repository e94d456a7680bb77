"""A page for a phone: the numbers, the last slice, alarms; reject and disarm, never arm."""

import time
from typing import Any

from dash import html

from lithoscope_dashboard.alarm_view import alarm_cards
from lithoscope_dashboard.board import Snapshot
from lithoscope_dashboard.last_slice import last_slice
from lithoscope_dashboard.pages.kiosk import number_card
from lithoscope_dashboard.proposal_view import proposal_cards
from lithoscope_dashboard.quantities import CORE
from lithoscope_dashboard.staleness import stale_text
from lithoscope_dashboard.view import View

Component = Any  # Dash ships no types
Props = dict[str, Any]
SHOWN_PROPOSALS = 4


def layout() -> Component:
    """Build the page."""
    return html.Main(
        [
            html.Div(id="phone-stale", role="alert", className="kiosk-stale"),
            html.Section([html.H2("Alarms"), html.Div(id="alarms")], className="card"),
            html.Div(id="phone-numbers", className="phone-numbers"),
            html.Section([html.H2("Last slice"), html.Div(id="last-slice")], className="card"),
            html.Section([html.H2("Proposals"), html.Div(id="proposals")], className="card"),
            html.A("All pages", href="/", className="small"),
        ],
        id="main",
        className="page-phone",
    )


def sections(snapshot: Snapshot, view: View, now_s: float) -> dict[str, Props]:
    """Give what changes on the page."""
    state, is_replay = snapshot.experiment, snapshot.is_replay
    cards = proposal_cards(state, is_replay=is_replay, shown=SHOWN_PROPOSALS, answers=("reject",))
    return {
        "phone-stale": {"children": stale_text(snapshot, time.time_ns())},
        "alarms": {"children": alarm_cards(state, is_replay=is_replay)},
        "phone-numbers": {"children": [number_card(each, state) for each in CORE]},
        "last-slice": {"children": last_slice(state)},
        "proposals": {"children": cards},
    }

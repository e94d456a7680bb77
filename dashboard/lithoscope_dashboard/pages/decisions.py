"""The decisions: rules and their state, proposals, alarms, leases and holds, and the history."""

from typing import Any

from dash import html

from lithoscope_dashboard.alarm_view import alarm_cards, clock_text, hold_card, lease_card
from lithoscope_dashboard.board import Snapshot
from lithoscope_dashboard.model import Event, ExperimentState, RuleLine
from lithoscope_dashboard.proposal_view import proposal_cards
from lithoscope_dashboard.tables import table
from lithoscope_dashboard.view import View

Component = Any  # Dash ships no types
Props = dict[str, Any]
#: The page stays light; the journal has all (`lithoscope audit`).
SHOWN_EVENTS = 500
_HEADS = ("entry", "time", "what", "scan", "rule, action", "who", "why")


def layout() -> Component:
    """Build the page."""
    return html.Main(
        [
            _card("Proposals", html.Div(id="proposals", **{"aria-live": "polite"}), "proposals"),
            _card("Alarms", html.Div(id="alarms", **{"aria-live": "assertive"}), "alarms"),
            _card("Leave to act", html.Div(id="lease-card"), "lease"),
            _card("Hold", html.Div(id="hold-card"), "hold"),
            _card("Rules", html.Div(id="rules", className="scroll", tabIndex="0"), "rules"),
            _card("History", html.Div(id="history", className="scroll", tabIndex="0"), "history"),
        ],
        id="main",
        className="page-decisions",
    )


def _card(title: str, body: Component, area: str) -> Component:
    return html.Section([html.H2(title), body], className=f"card area-{area}")


def sections(snapshot: Snapshot, view: View, now_s: float) -> dict[str, Props]:
    """Give what changes on the page."""
    state, is_replay = snapshot.experiment, snapshot.is_replay
    return {
        "proposals": {"children": proposal_cards(state, is_replay=is_replay)},
        "alarms": {"children": alarm_cards(state, is_replay=is_replay)},
        "lease-card": {"children": lease_card(snapshot)},
        "hold-card": {"children": hold_card(state, is_replay=is_replay)},
        "rules": {"children": rule_table(state)},
        "history": {"children": history_table(state)},
    }


def rule_table(state: ExperimentState | None) -> list[Component]:
    """Show each rule: what it watches, what the newest scan has, and how often it fired."""
    if state is None or not state.rules:
        return [html.P("There are no rules.", className="muted", key="none")]
    heads = ("rule", "watches", "now", "state", "then", "mode", "fired", "last reason")
    rows = [_rule_row(rule, state) for rule in state.rules]
    return [table(heads, rows, "rules-table")]


def _rule_row(rule: RuleLine, state: ExperimentState) -> Component:
    value = _value_now(rule, state)
    word = "blind" if rule.is_blind else ("fired" if rule.last_scan is not None else "quiet")
    fired = "never" if rule.last_scan is None else f"{rule.n_fired} ×, last scan {rule.last_scan}"
    reset = "" if rule.reset_value is None else f", again beyond {rule.reset_value:g}"
    cells = [
        html.Th(rule.rule, scope="row"),
        html.Td(f"{rule.metric} {rule.comparison} {rule.set_value:g}{reset}"),
        html.Td("–" if value is None else f"{value:.4g}", className="number"),
        html.Td(html.Span(word, className=f"tag tag-{word}")),
        html.Td(rule.action.replace("_", " ")),
        html.Td(rule.mode.replace("_", " ")),
        html.Td(fired),
        html.Td(rule.last_reason, className="small"),
    ]
    return html.Tr(cells, id=f"rule-{rule.rule}", **{"data-state": word})


def _value_now(rule: RuleLine, state: ExperimentState) -> float | None:
    """Give what the newest decided scan had for a rule: a metric, or a number of the decision."""
    for scan in reversed(state.in_order):
        metric = scan.metrics.get(rule.metric) or scan.numbers.get(rule.metric)
        if metric is not None:
            return metric.value
    return None


def history_table(state: ExperimentState | None) -> list[Component]:
    """Show what was decided, asked and done, newest first."""
    if state is None or not state.events:
        return [html.P("Nothing was decided yet.", className="muted", key="none")]
    rows = [_event_row(event) for event in state.events[: -SHOWN_EVENTS - 1 : -1]]
    found = [table(_HEADS, rows, "history-table")]
    if len(state.events) > SHOWN_EVENTS:
        text = f"The newest {SHOWN_EVENTS} of {len(state.events)}; lithoscope audit prints all."
        found.append(html.P(text, className="muted small", key="more"))
    return found


def _event_row(event: Event) -> Component:
    cells = (
        str(event.number),
        clock_text(event.time_ns),
        event.kind,
        "" if event.scan is None else str(event.scan),
        event.what,
        event.person,
        event.text,
    )
    return html.Tr([html.Td(cell) for cell in cells], id=f"event-{event.number}")

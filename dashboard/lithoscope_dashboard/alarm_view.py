"""Alarms that stand, failures with what to do about them, leases and holds. Pure."""

import time
from typing import Any

from dash import html

from lithoscope_dashboard.board import Snapshot
from lithoscope_dashboard.model import ExperimentState, Failure
from lithoscope_dashboard.quantities import duration_text

Component = Any  # Dash ships no types
SHOWN = 20


def alarm_cards(state: ExperimentState | None, *, is_replay: bool = False) -> list[Component]:
    """Show the alarms that nobody has acknowledged, newest first, with what to do."""
    alarms = () if state is None else state.open_alarms
    if not alarms or state is None:
        return [html.P("No alarm stands.", className="muted", key="none")]
    can_answer = not (is_replay or state.is_ended)
    return [_alarm(each, can_answer) for each in sorted(alarms, key=lambda a: -a.time_ns)[:SHOWN]]


def _alarm(alarm: Failure, can_answer: bool) -> Component:
    parts: list[Component] = [
        html.Div(
            [html.B(f"scan {alarm.scan} · {alarm.what}"), html.Span(clock_text(alarm.time_ns))],
            className="bar-head",
        ),
        html.Div(alarm.text),
        html.Div(alarm.guidance, className="guidance"),
    ]
    if alarm.is_asked:
        parts.append(html.Div(f"acknowledgement asked by {alarm.person}", className="muted small"))
    elif can_answer:
        button = html.Button(
            "Acknowledge",
            className="approve",
            **{
                "data-ask": "acknowledge",
                "data-alarm": alarm.key,
                "aria-label": f"Acknowledge: {alarm.what}, scan {alarm.scan}",
            },
        )
        parts.append(html.Div(button, className="answers needs-operator"))
    return html.Div(parts, key=f"alarm-{alarm.key}", className="failure alarm", role="alert")


def failure_rows(
    state: ExperimentState | None, *, is_replay: bool = False, shown: int = SHOWN
) -> list[Component]:
    """Show what a person should look at: unsettled first, newest first."""
    failures = () if state is None else state.failures
    if not failures or state is None:
        return [html.P("None.", className="muted", key="none")]
    can_retry = not (is_replay or state.is_ended)
    order = sorted(failures, key=lambda each: (each.is_settled, -each.time_ns))
    return [_failure(each, can_retry) for each in order[:shown]]


def _failure(failure: Failure, can_retry: bool) -> Component:
    kind = "settled" if failure.is_settled else ("alarm" if failure.is_alarm else "failed")
    parts: list[Component] = [
        html.Div(
            [
                html.B(f"scan {failure.scan} · {failure.what}"),
                html.Span(clock_text(failure.time_ns)),
            ],
            className="bar-head",
        ),
        html.Div(failure.text, className="small"),
        html.Div(failure.guidance, className="guidance small"),
    ]
    if failure.is_settled:
        by = f" by {failure.person}" if failure.person else ""
        parts.append(html.Div(f"settled{by}", className="muted small"))
    elif failure.is_asked:
        parts.append(html.Div(f"asked for by {failure.person}", className="muted small"))
    elif failure.stage not in ("", "ingest") and can_retry:
        button = html.Button(
            "Try again",
            className="approve",
            **{
                "data-ask": "retry",
                "data-scan": str(failure.scan),
                "data-stage": failure.stage,
                "aria-label": f"Try {failure.stage} of scan {failure.scan} again",
            },
        )
        parts.append(html.Div(button, className="answers needs-operator"))
    return html.Div(parts, key=f"failure-{failure.key}", className=f"failure {kind}")


def lease_card(snapshot: Snapshot) -> list[Component]:
    """Show whether rules may act without asking, until when, and how to change that."""
    state = snapshot.experiment
    if snapshot.is_replay:
        return [html.P("Actuators are off: this is a replay.", className="muted", key="off")]
    if state is None or state.is_ended:
        return [html.P("Nothing can be armed.", className="muted", key="off")]
    lease, parts = state.lease, []
    left_s = 0.0 if lease is None else lease.ends_ns / 1e9 - time.time()
    if lease is not None and left_s > 0:
        minutes_s = 60.0 * max(1, round(left_s / 60))
        parts = [
            html.P(
                [
                    html.B(f"Armed by {lease.person}"),
                    f" until {clock_text(lease.ends_ns)}, {duration_text(minutes_s)} left.",
                ],
                key="lease",
                id="lease",
            ),
            html.P(f"Reason: {lease.reason}", key="reason", className="small"),
        ]
    else:
        parts = [
            html.P(
                "Not armed: rules propose, a person says yes to each action.",
                key="lease",
                id="lease",
            )
        ]
    if state.lease_note:
        parts.append(html.P(state.lease_note, key="note", className="small guidance"))
    arm = html.Button(
        "Arm …",
        id="arm",
        className="reject needs-admin",
        **{
            "data-ask": "arm",
            "data-text": "Rules in mode auto then hold, pause, lower the current and repeat flats "
            "without asking. Anybody may disarm at any time.",
        },
    )
    disarm = html.Button("Disarm", id="disarm-here", className="disarm", **{"data-ask": "disarm"})
    parts.append(html.Div([arm, disarm], key="answers", className="answers"))
    return parts


def hold_card(state: ExperimentState | None, *, is_replay: bool = False) -> list[Component]:
    """Show why the plan waits, and how to let it go on."""
    if state is None or not state.holding:
        return [html.P("Nothing holds the plan.", className="muted", key="none")]
    parts: list[Component] = [html.Li(why, key=key) for key, why in state.holding.items()]
    found: list[Component] = [html.Ul(parts, key="why")]
    if not (is_replay or state.is_ended):
        about = "The plan goes on. The cycler itself is released at the beamline, never from here."
        button = html.Button(
            "Release the hold …",
            id="release",
            className="approve needs-operator",
            **{"data-ask": "release", "data-text": about},
        )
        found.append(html.Div(button, key="answers", className="answers"))
    return found


def clock_text(time_ns: int) -> str:
    """Write a time of this machine's clock; with the day if it is another one."""
    then = time.localtime(time_ns / 1e9)
    has_day = time.strftime("%F", then) != time.strftime("%F")
    return time.strftime("%F %H:%M:%S" if has_day else "%H:%M:%S", then)

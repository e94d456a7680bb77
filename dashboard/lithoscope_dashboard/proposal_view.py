"""Proposals with their evidence and the buttons to answer them. Pure."""

from typing import Any

from dash import html

from lithoscope_dashboard.model import ExperimentState, ProposalState, RuleLine
from lithoscope_dashboard.quantities import duration_text, evidence_text

Component = Any  # Dash ships no types
SHOWN = 12


def proposal_cards(
    state: ExperimentState | None,
    *,
    is_replay: bool = False,
    shown: int = SHOWN,
    answers: tuple[str, ...] = ("approve", "reject"),
) -> list[Component]:
    """Show the proposals: those that wait for an answer first, newest first.

    Parameters
    ----------
    state
        The experiment.
    is_replay
        Whether it is over: then nothing can be answered.
    shown
        How many at most.
    answers
        What can be answered here.
    """
    if state is None or not state.proposals:
        return [html.P("None.", className="muted", key="none")]
    order = sorted(state.proposals, key=lambda each: (not each.is_open, -each.number))
    rules = {rule.rule: rule for rule in state.rules}
    answers = () if is_replay or state.is_ended else answers
    cards = [_card(each, rules.get(each.rule), state, answers) for each in order[:shown]]
    if len(order) > shown:
        more = f"{len(order) - shown} more are in the history of the decisions."
        cards.append(html.P(more, className="muted small", key="more"))
    return cards


def time_left_text(proposal: ProposalState, state: ExperimentState) -> str:
    """Say how long an answer still counts, on the clock of the experiment."""
    if proposal.expires_s is None or not proposal.is_open:
        return ""
    now_s = experiment_time_s(state)
    if now_s is None:
        return f"until {duration_text(proposal.expires_s)} of the experiment"
    left_s = proposal.expires_s - now_s
    return f"{duration_text(left_s)} left" if left_s > 0 else "its time is over"


def experiment_time_s(state: ExperimentState) -> float | None:
    """Give the newest time of the experiment that is known, s: proposals expire by it."""
    times = [time_s for time_s, _ in state.charges[-1:]]
    times += [scan.time_s for scan in state.in_order[-2:] if scan.time_s is not None]
    return max(times, default=None)


def _card(
    proposal: ProposalState,
    rule: RuleLine | None,
    state: ExperimentState,
    answers: tuple[str, ...],
) -> Component:
    action = proposal.action.replace("_", " ")
    title = f"{action} · {proposal.rule} · scan {proposal.scan}"
    evidence = [html.Li(evidence_text(each)) for each in proposal.evidence]
    if rule is not None:
        evidence.append(html.Li(f"rule: {rule.metric} {rule.comparison} {rule.set_value:g}"))
    scan = html.A("look at the scan", href=f"/?scan={proposal.scan}", className="small")
    text = [
        html.Div(
            [
                html.B(title),
                html.Span(
                    [
                        html.Span(proposal.answer.status, className="status"),
                        html.Span(time_left_text(proposal, state), className="left number"),
                    ],
                    className="right",
                ),
            ],
            className="bar-head",
        ),
        html.Div(proposal.reason),
        html.Ul(evidence, className="evidence small"),
        html.Div(proposal.guidance, className="guidance small"),
        html.Div([html.Span(_answer_text(proposal), className="muted small"), scan]),
    ]
    is_open = proposal.is_open
    return html.Div(
        [
            html.Div(text, className="proposal-text"),
            _buttons(proposal, answers) if is_open and answers else None,
        ],
        id=f"proposal-{proposal.number}",
        className=f"proposal {'open' if is_open else 'closed'}",
        **{"data-status": proposal.answer.status},
    )


def _answer_text(proposal: ProposalState) -> str:
    answer = proposal.answer
    by = f"by {answer.person}" if answer.person else ""
    text = ": ".join(part for part in (by, answer.detail) if part)
    return f"{text} · " if text else ""


def _buttons(proposal: ProposalState, answers: tuple[str, ...]) -> Component:
    buttons = [_button(proposal, answer, answer.capitalize()) for answer in answers]
    return html.Div(buttons, className="answers needs-operator")


def _button(proposal: ProposalState, answer: str, text: str) -> Component:
    action = proposal.action.replace("_", " ")
    about = f"{action}, scan {proposal.scan}, rule {proposal.rule}: {proposal.reason}"
    return html.Button(
        text,
        id=f"{answer}-{proposal.number}",
        className=answer,
        **{
            "aria-label": f"{text} {action} for scan {proposal.scan}",
            "data-ask": answer,
            "data-proposal": proposal.proposal,
            "data-number": str(proposal.number),
            "data-text": about,
        },
    )

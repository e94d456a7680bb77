"""Proposals with their evidence and the buttons to answer them. Pure."""

from typing import Any

from dash import html

from lithoscope_dashboard.model import ExperimentState, ProposalState, RuleLine
from lithoscope_dashboard.quantities import duration_text, evidence_text

Component = Any  # Dash ships no types
SHOWN = 12


def proposal_cards(state: ExperimentState | None) -> list[Component]:
    """Show the proposals: those that wait for an answer first, newest first."""
    if state is None or not state.proposals:
        return [html.P("None.", className="muted")]
    shown = sorted(state.proposals, key=lambda each: (not each.is_open, -each.number))
    rules = {rule.rule: rule for rule in state.rules}
    return [_card(each, rules.get(each.rule)) for each in shown[:SHOWN]]


def _card(proposal: ProposalState, rule: RuleLine | None) -> Component:
    title = f"{proposal.action.replace('_', ' ')} · {proposal.rule} · scan {proposal.scan}"
    evidence = [html.Li(evidence_text(each)) for each in proposal.evidence]
    if rule is not None:
        evidence.append(html.Li(f"rule: {rule.metric} {rule.comparison} {rule.set_value:g}"))
    ends = ""
    if proposal.expires_s is not None and proposal.is_open:
        ends = f"until {duration_text(proposal.expires_s)} of the experiment"
    text = [
        html.Div(
            [html.B(title), html.Span(proposal.answer.status, className="status")],
            className="bar-head",
        ),
        html.Div(proposal.reason),
        html.Ul(evidence, className="evidence small"),
        html.Div(proposal.guidance, className="muted small"),
        html.Div(_answer_text(proposal), className="muted small"),
        html.Div(ends, className="muted small"),
    ]
    return html.Div(
        [
            html.Div(text, className="proposal-text"),
            _buttons(proposal) if proposal.is_open else None,
        ],
        id=f"proposal-{proposal.number}",
        className=f"proposal {'open' if proposal.is_open else 'closed'}",
        **{"data-status": proposal.answer.status},
    )


def _answer_text(proposal: ProposalState) -> str:
    answer = proposal.answer
    by = f"by {answer.person}" if answer.person else ""
    return ": ".join(part for part in (by, answer.detail) if part)


def _buttons(proposal: ProposalState) -> Component:
    return html.Div(
        [_button(proposal, "approve", "Approve"), _button(proposal, "reject", "Reject")],
        className="answers",
    )


def _button(proposal: ProposalState, answer: str, text: str) -> Component:
    # The callback needs an id of several parts, people and tests one that can be typed.
    return html.Span(
        html.Button(
            text,
            id={"answer": answer, "number": proposal.number, "proposal": proposal.proposal},
            className=answer,
            **{"aria-label": f"{text} {proposal.action} for scan {proposal.scan}"},
        ),
        id=f"{answer}-{proposal.number}",
    )

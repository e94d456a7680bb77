"""The table of a soak of the executor of actions; `make soak` writes it."""

from collections.abc import Mapping
from typing import Protocol

from benchmarks.tables import ROOT, Report, Table

PATH = ROOT / "benchmarks" / "results" / "actuator_soak.md"
ENDS = ("ActionConfirmed", "ActionFailed", "ActionUnknown")


class Outcomes(Protocol):
    """What became of the actions of many schedules."""

    @property
    def ends(self) -> Mapping[tuple[str, str], int]: ...

    @property
    def done(self) -> Mapping[tuple[str, int], int]: ...

    @property
    def n_schedules(self) -> int: ...

    @property
    def n_actions(self) -> int: ...

    @property
    def n_crashes(self) -> int: ...

    @property
    def n_requests(self) -> int: ...


def write_table(out: Outcomes) -> None:
    """Write the table where results lie."""
    report = Report(
        title="Actions at the beamline, with crashes and a bad connection",
        method=(
            "Seeded schedules of the executor against a model of a queue server with a cycler, "
            "on a simulated clock. The executor is killed between any two of its steps: before "
            "and after each append to the journal, each question and each sending. The server "
            "loses and delays requests (up to 8 s), loses answers, crashes before, in and after "
            "what it does, refuses, and its function fails. Whatever it does is counted by the "
            "correlation id of the action.",
            "Confirmed and failed are claims: what is confirmed must have been done once, what "
            "failed must not have been done, now or later. Unknown claims nothing; it raises an "
            "alarm and ends the lease.",
        ),
        tables=(_overview(out), _truth(out), _by_action(out)),
        packages=("lithoscope",),
    )
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(report.as_markdown(is_quick=False))


def _overview(out: Outcomes) -> Table:
    counts = (
        ("schedules", out.n_schedules),
        ("actions sent", out.n_actions),
        ("kills of the executor", out.n_crashes),
        ("requests to the server", out.n_requests),
    )
    return Table(
        title="What was run",
        columns=("what", "how many"),
        rows=[(name, str(count)) for name, count in counts],
    )


def _truth(out: Outcomes) -> Table:
    most = max((n_done for _, n_done in out.done), default=0)
    rows = [
        (end, *(str(out.done.get((end, n_done), 0)) for n_done in range(max(2, most) + 1)))
        for end in ENDS
    ]
    columns = ("end", *(f"done {n_done} times" for n_done in range(max(2, most) + 1)))
    return Table(title="What the journal says, against what was done", columns=columns, rows=rows)


def _by_action(out: Outcomes) -> Table:
    actions = sorted({action for action, _ in out.ends})
    rows = [(each, *(str(out.ends.get((each, end), 0)) for end in ENDS)) for each in actions]
    return Table(title="Ends by what was sent", columns=("sent", *ENDS), rows=rows)

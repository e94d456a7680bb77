"""What a plan does when the answer is late, and when something is in its way."""

from pathlib import Path

import pytest
from bluesky.utils import FailedStatus
from run_engine import N_DARKS, bench, pausing, value_of

from lithoscope_messages import ScanDecided
from lithoscope_services.beamline.errors import BeamlineError
from lithoscope_services.beamline.plans import (
    ExperimentOptions,
    Waited,
    await_verdict,
    experiment_plan,
    pulse_plan,
    scan_plan,
)
from lithoscope_services.beamline.requests import OnTimeout
from lithoscope_services.beamline.verdict import Verdict


class NoAnswers:
    """An instance that never answers, and what it is told."""

    def __init__(self, answer_at_look: int | None = None, n_held: int = 0) -> None:
        self.missed: list[tuple[int, OnTimeout]] = []
        self._left = answer_at_look
        self.n_held = n_held

    def find(self, scan: int, wait_s: float) -> ScanDecided | None:
        if self._left is None:
            return None
        self._left = max(0, self._left - 1)
        return None if self._left else DECIDED

    def why_held(self, wait_s: float) -> str:
        self.n_held -= 1
        return "" if self.n_held < 0 else "rule remaining_gap, scan 0"

    def say_missed(self, scan: int, waited_s: float, plan_did: OnTimeout) -> None:
        assert waited_s > 0
        self.missed.append((scan, plan_did))


DECIDED = ScanDecided.model_construct(scan=0)


def test_a_plan_that_got_no_answer_goes_on_and_the_documents_say_so(tmp_path: Path) -> None:
    made = bench(tmp_path)
    answers, beamline = NoAnswers(), made.beamline
    options = ExperimentOptions(experiment="cell", verdict_timeout_s=1e-6)

    made.run(
        experiment_plan(
            made.steps[:2], beamline.cycler, beamline.tomograph, Verdict(answers), options
        )
    )

    starts = made.all("start")
    assert answers.missed == [(0, "continue"), (1, "continue")]
    assert starts[2]["lithoscope_on_timeout"] == "continue"
    assert starts[2]["lithoscope_extended_rest_s"] >= 0
    assert "lithoscope_on_timeout" not in starts[1] | starts[3]


def test_a_plan_that_holds_waits_on_and_counts_the_longer_rest(tmp_path: Path) -> None:
    made = bench(tmp_path)
    answers, waited = NoAnswers(answer_at_look=5), Waited()

    made.run(await_verdict(Verdict(answers), 0, timeout_s=1e-6, on_timeout="hold", waited=waited))

    assert answers.missed == [(0, "hold")]
    assert waited.plan_did == "hold"
    assert waited.extended_s > 0
    assert waited.metadata["lithoscope_on_timeout"] == "hold"


def test_a_plan_waits_out_a_hold_until_a_person_releases_it(tmp_path: Path) -> None:
    made = bench(tmp_path)
    answers, waited = NoAnswers(answer_at_look=1, n_held=3), Waited()

    made.run(
        await_verdict(Verdict(answers), 0, timeout_s=1e-6, on_timeout="continue", waited=waited)
    )

    assert answers.n_held < 0
    # It was answered in time; that it was held is no lateness.
    assert (answers.missed, waited.plan_did) == ([], None)


def test_a_plan_can_be_paused_while_it_waits_for_an_answer(tmp_path: Path) -> None:
    made = bench(tmp_path)
    answers, waited = NoAnswers(answer_at_look=4), Waited()
    plan = await_verdict(Verdict(answers), 0, timeout_s=60.0, on_timeout="hold", waited=waited)

    made.run_until_paused(pausing(plan, after=lambda msg: msg.command == "set", defer=True))
    made.engine.resume()

    assert waited.plan_did is None
    assert "lithoscope_on_timeout" not in waited.metadata


def test_a_file_that_is_there_already_is_not_overwritten(tmp_path: Path) -> None:
    from ophyd_async.core import StaticFilenameProvider, StaticPathProvider

    from lithoscope_services.beamline.destinations import Hdf5Destination

    destination = Hdf5Destination(StaticPathProvider(StaticFilenameProvider("scan"), tmp_path))
    destination.open("detector", (2, 3), "<u2")
    destination.close()

    with pytest.raises(BeamlineError, match=r"scan\.h5"):
        destination.open("detector", (2, 3), "<u2")


def test_a_failure_while_exposing_ends_the_scan_at_once(tmp_path: Path) -> None:
    calls = [0]

    def check() -> None:
        calls[0] += 1
        if calls[0] > N_DARKS + 1:
            raise BeamlineError("the detector's disk is full")

    made = bench(tmp_path, check=check)

    with pytest.raises(FailedStatus) as raised:
        made.run(scan_plan(made.beamline.tomograph, made.steps[0].request))

    assert "disk is full" in str(raised.value.__cause__)
    assert made.exit_statuses() == ["fail"]
    assert value_of(made, made.beamline.tomograph.shutter, "shutter-state") == "Closed"


def test_a_pulse_outside_the_window_fails_its_run_and_leaves_the_current_off(
    tmp_path: Path,
) -> None:
    made = bench(tmp_path)
    cycler = made.beamline.cycler
    cycler.limits = type(cycler.limits)(
        max_current_mA=1.0, potential_low_V=-0.01, potential_high_V=0.01
    )

    with pytest.raises(FailedStatus):
        made.run(pulse_plan(cycler, made.steps[1].pulses[0]))

    assert made.exit_statuses() == ["fail"]
    assert cycler.is_held
    assert value_of(made, cycler, "cycler-current_mA") == 0.0

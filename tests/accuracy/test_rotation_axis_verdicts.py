"""Whatever the sample, the order of angles and the noise: a wrong axis is never believed.

A sample of the trials runs always; ``--soak`` runs all and writes
``benchmarks/results/rotation_axis.md``.
"""

import pytest
from axis_samples import AxisOutcome, AxisTrial, draw_trial, make_scan

from lithoscope_pipeline.rotation_axis import find_rotation_axis

# Half a pixel doubles no edge and is twice what is asked of noisy scans.
WRONG_PX = 0.5


def test_a_wrong_axis_is_never_resolved(is_soak: bool) -> None:
    outcomes = []
    for seed in range(300 if is_soak else 10):
        trial = draw_trial(seed)
        found = find_rotation_axis(*make_scan(trial))
        outcomes.append(
            AxisOutcome(
                kind=trial.kind,
                noise=trial.noise,
                verdict=found.verdict,
                off_px=abs(found.position_px - trial.axis_px),
            )
        )
    if is_soak:
        from benchmarks.axis_table import write_table

        write_table(outcomes, wrong_px=WRONG_PX)

    wrong = [
        (seed, outcome)
        for seed, outcome in enumerate(outcomes)
        if outcome.verdict == "resolved" and outcome.off_px > WRONG_PX
    ]
    assert not wrong


@pytest.mark.parametrize("order", ["half_turn", "full_turn", "golden", "edge_on_ends"])
def test_particles_in_plates_wider_than_the_view_show_the_axis(order: str) -> None:
    trial = AxisTrial(kind="cell", order=order, axis_px=50.6, noise=0.1, seed=3)  # type: ignore[arg-type]  # literals

    found = find_rotation_axis(*make_scan(trial))

    assert found.position_px == pytest.approx(50.6, abs=0.25)
    assert found.verdict == "resolved"


@pytest.mark.parametrize("seed", range(2))
def test_plates_without_particles_are_not_believed_far_from_the_axis(seed: int) -> None:
    trial = AxisTrial(kind="plates", axis_px=41.2, noise=0.02, seed=seed)

    found = find_rotation_axis(*make_scan(trial))

    assert found.verdict != "resolved" or abs(found.position_px - 41.2) < WRONG_PX

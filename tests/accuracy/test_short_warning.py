"""A short is announced in time: histories whose errors are those of measured experiments.

``benchmarks/results/short_warning.md`` has all of it, law by law.
"""

import numpy as np

from lithoscope_models.calibration.tables import CALIBRATION_FILE, read_calibration
from lithoscope_models.model_file import DEFAULT_MODEL, find_model
from lithoscope_pipeline.growth_histories import LAWS, GrowthHistory, StoredResiduals, make_history
from lithoscope_pipeline.measure import measure_short_eta
from lithoscope_pipeline.metric import Metric

#: A bridge that left more of the gap than this at the last scan came within one pulse.
ONE_PULSE_SHARE = 0.25


def first_warning(history: GrowthHistory) -> float:
    """Give the first scan at which ``short_eta_pulses`` is below 1; infinite without one."""
    ends = zip(history.gap_um, history.low95_um, history.high95_um, strict=True)
    gaps = [
        Metric(value=float(value), unit="um", low95=float(low), high95=float(high))
        for value, low, high in ends
    ]
    for i in range(len(gaps)):
        eta = measure_short_eta(gaps[: i + 1], [float(each) for each in range(i + 1)]).value
        if eta is not None and eta < 1:
            return float(i)
    return np.inf


def test_bridges_are_announced_before_they_are_there_and_seldom_for_nothing(is_soak: bool) -> None:
    stored = read_calibration(find_model(DEFAULT_MODEL) / CALIBRATION_FILE).gaps["network"]
    residuals = StoredResiduals(
        trajectories_um=tuple(np.array(g.measured_um) - np.array(g.true_um) for g in stored)
    )
    announced, alarmed = [], []
    for i, law in enumerate(LAWS):
        for k in range(300 if is_soak else 25):
            rng = np.random.default_rng([31, i, k])
            bridged = make_history(law, "inside", residuals=residuals, rng=rng)
            sound = make_history(law, "none", residuals=residuals, rng=rng)
            alarmed.append(np.isfinite(first_warning(sound)))
            bridge = bridged.bridge_pulse
            assert bridge is not None
            last_um = bridged.true_um[int(np.ceil(bridge)) - 1]
            if last_um <= ONE_PULSE_SHARE * bridged.true_um[0]:
                announced.append(first_warning(bridged) < bridge)

    assert len(announced) >= (1000 if is_soak else 80)
    assert np.mean(announced) >= 0.95
    assert np.mean(alarmed) <= 0.05

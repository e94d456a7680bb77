"""The envelope of the voltage: how far it went in each pulse of current."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.metric import Metric, not_measured

Column = NDArray[np.floating[Any]]
#: A current below this share of the largest is the noise of the cycler.
_ON_SHARE: Final = 0.05


def measure_voltage_envelope(
    time_s: Column,
    potential_V: Column,  # noqa: N803 - the unit is V
    current_mA: Column,  # noqa: N803 - the unit is mA
    *,
    until_s: float,
) -> Metric:
    """Give the largest voltage of the last pulse before a scan.

    Parameters
    ----------
    time_s, potential_V, current_mA
        Readings of the cycler, shape (n,), time not falling.
    until_s
        Time of the scan.

    Returns
    -------
    Metric
        The reading farthest from zero while current flowed, signed, volt. It was read, not
        segmented: its interval is itself. Without a value before the first pulse.

    Raises
    ------
    ShapeError
        If the columns differ in length.
    """
    if not len(time_s) == len(potential_V) == len(current_mA):
        raise ShapeError("the columns of the cycler differ in length; give one value a reading")
    before = time_s <= until_s
    current = np.asarray(current_mA[before], np.float64)
    if not len(current) or not np.abs(current).max() > 0:
        return not_measured("V", "no_electrochemistry" if not len(current) else "no_pulse_yet")
    sign = np.where(np.abs(current) > _ON_SHARE * np.abs(current_mA).max(), np.sign(current), 0.0)
    flowing = np.flatnonzero(sign)
    if not len(flowing):
        return not_measured("V", "no_pulse_yet")
    last = flowing[-1]
    others = np.flatnonzero(sign[:last] != sign[last])
    first = others[-1] + 1 if len(others) else 0
    pulse = np.asarray(potential_V[before][first : last + 1], np.float64)
    value = float(pulse[np.argmax(np.abs(pulse))])
    return Metric(value=value, unit="V", low95=value, high95=value)

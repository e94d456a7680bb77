"""A soft short from the potential alone: what each pulse needs, against the pulses before it.

A bridge carries part of the current past the electrolyte. The potential then falls, at once or
step by step, stays low where it had built up, and is noisy [1]_ [2]_. Nothing of this needs an
image, so it speaks for the whole cell and not for the part in view.

References
----------
.. [1] S. Menkin et al., Faraday Discuss. 248, 277 (2024). doi:10.1039/D3FD00101F
.. [2] K. N. Wood et al., ACS Cent. Sci. 2, 790 (2016). doi:10.1021/acscentsci.6b00260
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import NonFiniteError, ShapeError

if TYPE_CHECKING:  # see scan_record.py
    from lithoscope_pipeline.metric import Metric

Column = NDArray[np.floating[Any]]

#: Under this share of the largest current the cell rests.
_ON_SHARE: Final = 0.05
#: The level of a pulse is that of its last quarter: the peak of nucleation is over by then.
_LEVEL_SHARE: Final = 0.25
#: A level within a pulse is the median of this many parts: single readings are noise.
_N_PARTS: Final = 12
#: Nucleation makes the first parts of a pulse fall by itself.
_SKIPPED_PARTS: Final = 2
#: Pulses that one is compared with; older ones had another surface.
_N_BEFORE: Final = 4
_LEAST_SAMPLES: Final = 24
#: Spread of the levels of sound pulses, from one to the next, where too few are known.
_SPREAD: Final = 0.03
_NORMAL_95: Final = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseVoltage:
    """What one pulse needed.

    Parameters
    ----------
    start_s, end_s
        First and last reading with current.
    current_mA
        Median, signed.
    resistance_ohm
        Median potential over current in the last quarter.
    drop_share
        Largest fall of the potential within the pulse, as a share of what it had reached, after
        the peak of nucleation; 0 for one that only builds up.
    """

    start_s: float
    end_s: float
    current_mA: float  # noqa: N815 - the unit is mA
    resistance_ohm: float
    drop_share: float


def find_pulses(
    time_s: Column,
    potential_V: Column,  # noqa: N803 - the unit is V
    current_mA: Column,  # noqa: N803 - the unit is mA
) -> tuple[PulseVoltage, ...]:
    """Cut a recording into pulses of current.

    Parameters
    ----------
    time_s, potential_V, current_mA
        Readings, shape (n,), time not falling.

    Returns
    -------
    tuple of PulseVoltage
        In order; pulses of fewer than 24 readings are left out.

    Raises
    ------
    ShapeError, NonFiniteError
        If the columns do not fit together, or hold what is no number.
    """
    columns = np.stack(
        [np.asarray(each, np.float64) for each in (time_s, potential_V, current_mA)]
    )
    if not np.isfinite(columns).all():
        raise NonFiniteError("a reading of the cycler is no number; mend it before pulses are cut")
    if columns.ndim != 2:
        raise ShapeError(f"readings have shape {columns.shape}, three columns are needed")
    if not columns.shape[1]:
        return ()
    current = columns[2]
    sign = np.where(np.abs(current) > _ON_SHARE * np.abs(current).max(), np.sign(current), 0.0)
    edges = [0, *(np.flatnonzero(np.diff(sign)) + 1).tolist(), len(sign)]
    runs = pairwise(edges)
    return tuple(
        _pulse(columns[:, first:last])
        for first, last in runs
        if sign[first] and last - first >= _LEAST_SAMPLES
    )


def _pulse(columns: Column) -> PulseVoltage:
    time_s, potential, current = columns
    resistance = potential / current * 1e3  # V per mA
    parts = [float(np.median(part)) for part in np.array_split(resistance, _N_PARTS)]
    reached, drop = 0.0, 0.0
    for part in parts[_SKIPPED_PARTS:]:
        reached = max(reached, part)
        if reached > 0:
            drop = max(drop, 1.0 - part / reached)
    level = resistance[-max(1, round(_LEVEL_SHARE * len(resistance))) :]
    return PulseVoltage(
        start_s=float(time_s[0]),
        end_s=float(time_s[-1]),
        current_mA=float(np.median(current)),
        resistance_ohm=float(np.median(level)),
        drop_share=drop,
    )


def measure_voltage(
    pulses: tuple[PulseVoltage, ...] | list[PulseVoltage], *, n_expected: float
) -> "dict[str, Metric]":
    """Measure what the last pulse says of a short.

    Parameters
    ----------
    pulses
        All pulses before a scan, in order.
    n_expected
        How many there were by the plan.

    Returns
    -------
    dict
        ``pulse_resistance_ohm``, the level of the last pulse; ``voltage_drop_share``, how far it
        lies under the pulses before it, or fell within the pulse, whichever is more. A drop of 0.2
        is a fifth of the potential lost. Without a value where no pulse has passed
        (``no_pulse_yet``) or readings are missing (``electrochemistry_behind``,
        ``no_electrochemistry``).
    """
    from lithoscope_pipeline.metric import Metric, not_measured

    names = {"pulse_resistance_ohm": "ohm", "voltage_drop_share": "1"}
    reason = ""
    if not pulses:
        reason = "no_electrochemistry" if n_expected >= 1 else "no_pulse_yet"
    elif len(pulses) < int(n_expected):
        reason = "electrochemistry_behind"
    if reason:
        return {name: not_measured(unit, reason) for name, unit in names.items()}
    last = pulses[-1]
    before = [pulse.resistance_ohm for pulse in pulses[-1 - _N_BEFORE : -1]]
    drop, spread = last.drop_share, _SPREAD
    if before:
        usual = float(np.median(before))
        drop = max(drop, 1.0 - last.resistance_ohm / usual)
    if len(before) >= _N_BEFORE:
        steps = np.abs(np.diff(before)) / usual
        spread = max(float(np.median(steps)), _SPREAD / 3)
    wide = _NORMAL_95 * spread
    level = last.resistance_ohm
    return {
        "pulse_resistance_ohm": Metric(
            value=level, unit="ohm", low95=level * (1 - wide), high95=level * (1 + wide)
        ),
        "voltage_drop_share": Metric(value=drop, unit="1", low95=drop - wide, high95=drop + wide),
    }

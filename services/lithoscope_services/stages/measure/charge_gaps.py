"""Times of which the cycler wrote nothing, and what charge they may hide."""

from dataclasses import replace

import numpy as np

from lithoscope_pipeline.measure import ChargeState
from lithoscope_services.electrochemistry import CyclerRecord, find_gaps
from lithoscope_store import Electrochemistry

_SECONDS_PER_HOUR = 3600.0


def with_record_gaps(
    charge: ChargeState, samples: Electrochemistry, first_s: float, last_s: float
) -> ChargeState:
    """Bound the charge where the record has gaps.

    Parameters
    ----------
    charge
        As it was counted.
    samples
        Of the cycler.
    first_s, last_s
        Times between which the charge was counted.

    Returns
    -------
    ChargeState
        The same without a gap. In a gap any current may have flowed that flows elsewhere between
        these times, or none.
    """
    inside = (samples.time_s >= first_s) & (samples.time_s <= last_s)
    current_ma = samples.current_mA[inside]
    if len(current_ma) < 2:
        return charge
    gaps = find_gaps(
        CyclerRecord(
            time_s=samples.time_s[inside],
            potential_V=samples.potential_V[inside],
            current_mA=current_ma,
        )
    )
    if not gaps:
        return charge
    counted = float(np.interp(last_s, samples.time_s, samples.charge_mAh)) - float(
        np.interp(first_s, samples.time_s, samples.charge_mAh)
    )
    known = counted - sum(gap.charge_mAh for gap in gaps)
    hours = sum(gap.end_s - gap.begin_s for gap in gaps) / _SECONDS_PER_HOUR
    ends = sorted(
        known + hours * current
        for current in (min(0.0, float(current_ma.min())), max(0.0, float(current_ma.max())))
    )
    least = 0.0 if ends[0] <= 0.0 <= ends[1] else min(map(abs, ends))
    return replace(charge, bounds_mAh=(least, max(map(abs, ends))))

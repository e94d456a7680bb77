"""The pulses of a cycler's record."""

from typing import Final

import numpy as np

from lithoscope_pipeline.cycler_clock import Pulse
from lithoscope_services.electrochemistry.record import CyclerRecord

#: Of the largest current, below which the cell rests.
REST_SHARE: Final = 0.02
#: A gap in the current that is shorter than this is none, s.
SHORTEST_REST_S: Final = 60.0


def find_pulses(record: CyclerRecord) -> list[Pulse]:
    """Cut the record into runs of current of one sign."""
    largest = float(np.abs(record.current_mA).max())
    if largest == 0.0:
        return []
    sign = np.where(
        np.abs(record.current_mA) > REST_SHARE * largest, np.sign(record.current_mA), 0
    )
    edges = np.flatnonzero(np.diff(sign)) + 1
    pulses: list[Pulse] = []
    for run in np.split(np.arange(sign.size), edges):
        if sign[run[0]] == 0:
            continue
        begin_s = float(record.time_s[run[0]])
        end_s = float(record.time_s[run[-1]])
        mean_ma = float(record.current_mA[run].mean())
        before = pulses[-1] if pulses else None
        if (
            before is not None
            and before.sign == sign[run[0]]
            and begin_s - before.end_s < SHORTEST_REST_S
        ):
            pulses[-1] = Pulse(before.begin_s, end_s, before.sign, before.current_mA)
        else:
            pulses.append(Pulse(begin_s, end_s, int(sign[run[0]]), mean_ma))
    return pulses

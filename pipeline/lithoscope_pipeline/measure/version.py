"""Which measurement this is: intervals are calibrated for one."""

from typing import Final

#: Raised when equal labels may give other metrics.
METRICS_VERSION: Final = 4

"""Which series a message belongs to: late ones are refused, the next one is numbered on.

A series is known by its number and its name, ``series_id`` and ``series_unique_id``. When the
detector's computer starts anew its numbers begin at 1 again; ours go on, for they must not fall.
What is known of the series stands in a file, so that a restart in its middle keeps its angles.
"""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import get_args

import structlog

from lithoscope_messages import FrameKind
from lithoscope_services.errors import SourceError
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sources.dectris.decoder import (
    Axis,
    EndMessage,
    ImageMessage,
    StartMessage,
)
from lithoscope_services.sources.stream.frame import Attribute, SeriesEnd, StreamFrame
from lithoscope_store.durable import write_atomic

#: Names of series that are over; a start of one of them is an old message.
N_REMEMBERED = 256
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The series that images come of.

    Parameters
    ----------
    number
        Ours: it never falls.
    series_id, series_unique_id, arm_time_ns
        The detector's.
    axis
        The goniometer axis that turns; None if no start message said it.
    attributes
        User data of the start message.
    """

    number: int
    series_id: int
    series_unique_id: str | None = None
    arm_time_ns: int | None = None
    axis: Axis | None = None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


class SeriesTracker:
    """Makes frames of images.

    Parameters
    ----------
    settings
        Of the source.
    state
        File that keeps what is known of the series; None to keep nothing.
    """

    def __init__(self, settings: SourceSettings, state: Path | None = None) -> None:
        self._settings = settings
        self._state = state
        self._current = None if state is None else _load(state)
        self._past: deque[str] = deque(maxlen=N_REMEMBERED)

    def begin(self, start: StartMessage) -> None:
        """Take a start message.

        Raises
        ------
        SourceError
            If it is an old one.
        """
        series = Series(
            number=self._number(start),
            series_id=start.series_id,
            series_unique_id=start.series_unique_id,
            arm_time_ns=start.arm_time_ns,
            axis=self._turning_axis(start.axes),
            attributes=start.attributes,
        )
        self._enter(series)
        log.info(
            "dectris_series_begun",
            series_id=start.series_id,
            n_images=start.n_images,
            axes=sorted(start.axes),
            saturation_value=start.saturation_value,
            has_pixel_mask=start.has_pixel_mask,
        )

    def frame(self, image: ImageMessage) -> StreamFrame:
        """Make a frame of an image.

        Raises
        ------
        SourceError
            If its series is over.
        """
        series = self._series_of(image)
        attributes = {**series.attributes, **image.attributes}
        theta_deg = None
        if series.axis is not None:
            theta_deg = series.axis.start_deg + image.image_id * series.axis.increment_deg
        return StreamFrame(
            number=image.image_id,
            pixels=image.pixels,
            kind=self._kind(attributes),
            theta_deg=theta_deg,
            series=series.number if self._settings.series_is == "scan" else None,
            attributes=attributes,
            time_ns=image.time_ns,
        )

    def end(self, end: EndMessage) -> SeriesEnd | None:
        """Take an end message; None if it does not end a scan.

        Raises
        ------
        SourceError
            If it is an old one.
        """
        series = self._series_of(end)
        return SeriesEnd(series=series.number) if self._settings.series_is == "scan" else None

    def _series_of(self, message: ImageMessage | EndMessage) -> Series:
        """Give the series of a message; one whose start was lost begins with it."""
        series, name = self._current, message.series_unique_id
        if series is not None and message.series_id == series.series_id:
            if name is None or series.series_unique_id in (None, name):
                return series
            raise SourceError(
                f"series_unique_id: series {series.series_id} began under another name; its "
                "message is an old one, or the start message of the next series was lost"
            )
        if series is not None and name is not None and name == series.series_unique_id:
            raise SourceError(
                f"series_id: {message.series_id} under the name of series {series.series_id}"
            )
        if series is not None and (message.series_id < series.series_id or name in self._past):
            raise SourceError(
                f"late: a message of series {message.series_id} came after series "
                f"{series.series_id} had begun"
            )
        log.warning("dectris_start_missing", series_id=message.series_id)
        number = message.series_id
        if series is not None:
            number = series.number + number - series.series_id
        found = Series(number=number, series_id=message.series_id, series_unique_id=name)
        self._enter(found)
        return found

    def _number(self, start: StartMessage) -> int:
        last, name = self._current, start.series_unique_id
        if last is None:
            return start.series_id
        if (start.series_id, name) == (last.series_id, last.series_unique_id):
            return last.number
        if name is not None and name == last.series_unique_id:
            raise SourceError(f"series_id: {start.series_id} under the name of {last.series_id}")
        if name in self._past:
            raise SourceError(
                f"late: series {start.series_id} was over before its start came again"
            )
        if start.series_id > last.series_id:
            return last.number + start.series_id - last.series_id
        is_older = (
            start.arm_time_ns is not None
            and last.arm_time_ns is not None
            and start.arm_time_ns <= last.arm_time_ns
        )
        if name is None or is_older:
            raise SourceError(
                f"late: the start of series {start.series_id} came after that of series "
                f"{last.series_id}; if the detector was restarted, restart the source too"
            )
        log.warning("dectris_restarted", series_id=start.series_id, before=last.series_id)
        return last.number + 1

    def _enter(self, series: Series) -> None:
        last = self._current
        if series == last:
            return
        if last is not None and last.series_unique_id not in (None, series.series_unique_id):
            self._past.append(str(last.series_unique_id))
        self._current = series
        if self._state is not None:
            write_atomic(self._state, json.dumps(asdict(series)).encode())

    def _turning_axis(self, axes: Mapping[str, Axis]) -> Axis | None:
        """Give the axis that ``theta_attribute`` names, else the only one that turns."""
        named = axes.get(self._settings.theta_attribute)
        if named is not None:
            return named
        turning = [axis for axis in axes.values() if axis.increment_deg != 0]
        if len(turning) > 1:
            log.warning("dectris_axes", axes=sorted(axes), need="theta_attribute names one")
        return turning[0] if len(turning) == 1 else None

    def _kind(self, attributes: Mapping[str, Attribute]) -> FrameKind | None:
        for name in (self._settings.kind_attribute, "kind"):
            kinds: tuple[FrameKind, ...] = get_args(FrameKind)
            for kind in kinds:
                if str(attributes.get(name)).strip().lower() == kind:
                    return kind
        return None


def _load(state: Path) -> Series | None:
    """Read what was known before; a file of another version is as good as none."""
    try:
        known = json.loads(state.read_bytes())
        axis = known.pop("axis")
        return Series(**known, axis=None if axis is None else Axis(**axis))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None

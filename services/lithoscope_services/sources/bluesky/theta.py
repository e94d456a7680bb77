"""Where the angle of a projection is known from; the first of these that the run has.

1. A dataset whose data key ends in ``theta_deg``, in the stream of the projection: encoder.
2. An event of that stream with such a data key: frame.
3. A list in the RunStart whose key ends so: table.
4. ``theta_file`` of the settings: table.
5. Start and step of the settings: formula.

A run that has one of the first two never falls back on the last two: an angle that was measured
and lost must not be guessed.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lithoscope_messages import ThetaSource
from lithoscope_services.beamline.metadata import THETA_SUFFIX
from lithoscope_services.errors import SourceError
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sources.bluesky.detector_file import DetectorFile
from lithoscope_services.sources.bluesky.frames import Spot
from lithoscope_services.sources.bluesky.run import Resource, Run

Open = Callable[[Resource], DetectorFile]


@dataclass(frozen=True, slots=True)
class Theta:
    """An angle, degrees, and where it is known from."""

    theta_deg: float
    source: ThetaSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Thetas:
    """Angles of one run.

    Parameters
    ----------
    run
        Whose they are.
    settings
        Of the source.
    n_projections
        Of the run.
    table_deg
        From ``theta_file``; empty without.
    open_file
        Gives the file of a resource.
    """

    run: Run
    settings: SourceSettings
    n_projections: int
    table_deg: Sequence[float]
    open_file: Open

    def of(self, spot: Spot, *, is_over: bool) -> Theta | None:
        """Give the angle of a projection; None while it may still come.

        Parameters
        ----------
        spot
            Where the projection lies.
        is_over
            Nothing of the run will come any more.

        Raises
        ------
        SourceError
            If it is lost or wrong; the text begins with ``theta``.
        """
        stream = self.run.streams.get(spot.stream)
        has_key = stream.theta_key is not None if stream is not None else bool(self._unknown())
        has_events = any(uid == spot.stream for uid, _ in self.run.thetas_deg)
        has_events = has_events or (stream is not None and stream.theta_event_key is not None)
        found = None
        if has_key:  # case 1
            found = self._encoder(spot, is_over=is_over)
        elif has_events:  # case 2
            theta_deg = self.run.thetas_deg.get((spot.stream, spot.number))
            found = None if theta_deg is None else Theta(theta_deg, "frame")
        if found is not None or ((has_key or has_events) and not is_over):
            return found
        if self.run.start.thetas_deg:  # case 3
            return self._table(self.run.start.thetas_deg, spot.slot[2])
        if has_key or has_events:
            raise SourceError(f"theta: that of projection {spot.slot[2]} was measured and is lost")
        if self.settings.theta_from == "table":  # case 4
            return self._table(self.table_deg, spot.slot[2])
        step_deg = self.settings.theta_step_deg  # case 5
        step_deg = 180.0 / max(1, self.n_projections) if step_deg is None else step_deg
        return Theta(self.settings.theta_start_deg + spot.slot[2] * step_deg, "formula")

    def _encoder(self, spot: Spot, *, is_over: bool) -> Theta | None:
        place = self._place(spot, is_over=is_over)
        if place is None:
            return None
        resource, row = place
        file = self.open_file(resource)
        if not file.sees(row):
            return None
        found = file.read(row, row + 1)
        if found is None:
            return None
        theta_deg = float(found.ravel()[0])
        if not math.isfinite(theta_deg):
            raise SourceError(f"theta: row {row} of {resource.data_key} is no finite number")
        return Theta(theta_deg, "encoder")

    def _place(self, spot: Spot, *, is_over: bool) -> tuple[Resource, int] | None:
        """Give dataset and row of an angle; beside others of its stream if its datum is lost."""
        stream = self.run.streams.get(spot.stream)
        if stream is None:
            left = self._unknown()
            return (left[0], spot.row) if len(left) == 1 else None
        per_event = stream.thetas_per_event
        part = spot.part if per_event > 1 else 0
        datums = self.run.datums_of(stream.uid, stream.theta_key)
        for datum in datums:
            if datum.first_number <= spot.number < datum.first_number + datum.count:
                event = datum.first + spot.number - datum.first_number
                return self.run.resources[datum.resource], event * per_event + part
        if not is_over:
            return None
        if datums:
            near = min(datums, key=lambda each: abs(each.first_number - spot.number))
            event = near.first + spot.number - near.first_number
            return self.run.resources[near.resource], event * per_event + part
        same = [r for r in self.run.resources.values() if r.data_key == stream.theta_key]
        per_image = spot.row // stream.frames_per_event
        return (same[0], per_image * per_event + part) if len(same) == 1 else None

    def _unknown(self) -> list[Resource]:
        """Datasets of angles, for projections whose descriptor was lost."""
        return [
            each for each in self.run.resources.values() if each.data_key.endswith(THETA_SUFFIX)
        ]

    def _table(self, table_deg: Sequence[float], index: int) -> Theta:
        if len(table_deg) != self.n_projections:
            raise SourceError(
                f"theta: {len(table_deg)} angles in the list for {self.n_projections} projections"
            )
        return Theta(float(table_deg[index]), "table")

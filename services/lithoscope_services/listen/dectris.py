"""Listen to DECTRIS Stream V2."""

from collections.abc import Sequence
from dataclasses import replace

from lithoscope_services.errors import SourceError
from lithoscope_services.listen.finding import COUNTS, VOXEL, Need, SourceFinding
from lithoscope_services.listen.heard import HeardFrames
from lithoscope_services.sources.dectris.decoder import (
    ImageMessage,
    StartMessage,
    decode_message,
)
from lithoscope_services.sources.stream.frame import Attribute, StreamFrame
from lithoscope_services.sources.stream.places import kind_named

#: Images that are unpacked; of the others only the size counts.
_MAX_UNPACKED = 100
_KIND_NAMES = ("kind", "FrameType")


class DectrisListener:
    """Takes messages of a detector control unit."""

    def __init__(self) -> None:
        self.heard = HeardFrames()
        self._start: StartMessage | None = None
        self._user: list[dict[str, Attribute]] = []
        self._refused: list[str] = []
        self._last: StreamFrame | None = None

    def take(self, parts: Sequence[bytes], at_s: float) -> None:
        """Note a message; one that cannot be read is counted."""
        if self._last is not None and self.heard.n_frames >= _MAX_UNPACKED:
            if len(parts[0]) > self._last.pixels.nbytes // 50:
                self.heard.take(replace(self._last, number=self._last.number + 1), at_s)
            return
        try:
            message = decode_message(parts[0])
        except SourceError as error:
            self._refused.append(str(error))
            return
        if isinstance(message, StartMessage):
            self._start = message
            self._user.append(dict(message.attributes))
        elif isinstance(message, ImageMessage):
            self._user.append(dict(message.attributes))
            self._last = StreamFrame(number=message.image_id, pixels=message.pixels)
            self.heard.take(self._last, at_s)

    def finding(self, place: str, now_s: float) -> SourceFinding:
        """Say what was heard."""
        del now_s  # a series says its own end
        heard = self.heard
        if not heard.n_frames and self._start is None:
            reason = self._refused[-1] if self._refused else "no start and no image came"
            return SourceFinding(
                place=place,
                dialect="DECTRIS Stream V2",
                unsupported=f"no message of it could be taken: {reason}",
                n_heard=len(self._refused),
            )
        kind_from, settings = self._kind()
        theta_from, more, needs = self._theta()
        notes = ["the detector gives each message to one client: end other clients, or use a tap"]
        if self._start is None:
            notes.append("no start message came: arm the detector while this listens")
        elif self._start.n_images is not None:
            notes.append(f"the series has {self._start.n_images} images in all")
        if self._refused:
            notes.append(f"{len(self._refused)} messages were refused: {self._refused[-1]}")
        return SourceFinding(
            place=place,
            dialect="DECTRIS Stream V2",
            frame_shape=heard.shape,
            dtype=heard.dtype,
            n_heard=heard.n_frames,
            rate_hz=heard.rate_hz,
            mb_s=heard.mb_s,
            kind_from=kind_from,
            theta_from=theta_from,
            settings={"source.kind": "dectris", **settings, **more},
            needs=(*needs, COUNTS, VOXEL),
            notes=tuple(notes) + heard.shape_notes,
        )

    def _kind(self) -> tuple[str, dict[str, object]]:
        for name in _KIND_NAMES:
            if any(kind_named(str(each.get(name))) is not None for each in self._user):
                return f"user data {name}: darks, flats and projections are series of their own", {
                    "source.series_is": "part",
                    "source.numbers": "per_kind",
                    "source.kind_from": "frame",
                    "source.kind_attribute": name,
                }
        return "no user data tell it: a series is a scan, in the order of its counts", {
            "source.series_is": "scan",
            "source.numbers": "per_scan",
            "source.kind_from": "order",
        }

    def _theta(self) -> tuple[str, dict[str, object], tuple[Need, ...]]:
        axes = {} if self._start is None else self._start.axes
        turning = {name: axis for name, axis in axes.items() if axis.increment_deg != 0}
        if len(turning) == 1:
            ((name, axis),) = turning.items()
            text = f"goniometer {name}: {axis.start_deg:g} and steps of {axis.increment_deg:g}°"
            return text, {"source.theta_from": "frame"}, ()
        if not turning:
            text = "no goniometer axis that turns was announced: evenly over 180 degrees"
            return text, {"source.theta_from": "formula"}, ()
        names = ", ".join(sorted(turning))
        need = Need(
            key="source.theta_attribute",
            what=f"which goniometer axis turns the sample: {names}",
            supply="--set source.theta_attribute=NAME",
        )
        return f"one of the goniometer axes {names}", {"source.theta_from": "frame"}, (need,)

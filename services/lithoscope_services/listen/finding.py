"""What was heard at a place: dialect, frames, who says kind and angle, and what is missing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lithoscope_pipeline.setup_checks import SetupFinding
from lithoscope_services.report import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Something that nothing in the stream says.

    Parameters
    ----------
    key
        Of the settings.
    what
        In words.
    supply
        How to say it: options of ``lithoscope new``, or what to change at the sender.
    """

    key: str
    what: str
    supply: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFinding:
    """What is at a place.

    Parameters
    ----------
    place
        As it was given.
    dialect
        Its name.
    unsupported
        Why it cannot be taken and what to do; empty if it can.
    frame_shape
        Rows and columns; None if no frame came.
    dtype
        Of the pixels; empty if no frame came.
    n_heard, seconds
        Messages, or frames of a file, and how long was listened.
    rate_hz, mb_s
        Of messages with frames; None where a file has no pace.
    kind_from, theta_from
        In words: what tells darks, flats and projections apart, and where angles are from.
    settings
        Answers by dotted key.
    needs
        What is missing.
    notes
        What a person should know.
    checks
        What of it cannot be right.
    """

    place: str
    dialect: str
    unsupported: str = ""
    frame_shape: tuple[int, int] | None = None
    dtype: str = ""
    n_heard: int = 0
    seconds: float = 0.0
    rate_hz: float | None = None
    mb_s: float | None = None
    kind_from: str = ""
    theta_from: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    needs: tuple[Need, ...] = ()
    notes: tuple[str, ...] = ()
    checks: tuple[SetupFinding, ...] = ()

    def as_json(self) -> JsonObject:
        """Give all of it as JSON has it."""
        return {
            "place": self.place,
            "dialect": self.dialect,
            "unsupported": self.unsupported,
            "frame_shape": None if self.frame_shape is None else list(self.frame_shape),
            "dtype": self.dtype,
            "n_heard": self.n_heard,
            "seconds": round(self.seconds, 3),
            "rate_hz": self.rate_hz,
            "mb_s": self.mb_s,
            "kind_from": self.kind_from,
            "theta_from": self.theta_from,
            "settings": dict(self.settings),
            "needs": [{"key": n.key, "what": n.what, "supply": n.supply} for n in self.needs],
            "notes": list(self.notes),
            "checks": [
                {"check": c.check, "verdict": c.verdict, "text": c.text, "advice": c.advice}
                for c in self.checks
            ],
        }


#: What no stream says.
COUNTS = Need(
    key="source.n_projections",
    what="how many frames a scan has",
    supply="--projections N --darks N --flats N (and --flats-after N)",
)
VOXEL = Need(
    key="scan.voxel_size_um",
    what="the size of a pixel in the sample",
    supply="--voxel-um V",
)

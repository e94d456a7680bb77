"""What streams of frames have in common: frames that were heard, and what they say."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lithoscope_pipeline.setup_checks import SetupFinding, check_angles
from lithoscope_services.sources.stream.frame import Attribute, StreamFrame

#: Of these the content is kept; the others are counted.
MAX_KEPT = 20_000
#: After a whole scan nothing comes for so long.
_SILENCE_S = 1.5
_BEFORE = (["dark", "flat"], ["flat"], ["dark"])
_AFTER: tuple[list[str], ...] = ([], ["flat"], ["flat", "dark"], ["dark"])
_WHOLE = [[*before, "projection", *after] for before in _BEFORE for after in _AFTER]


@dataclass(slots=True, kw_only=True)
class HeardFrames:
    """Frames of a stream without their pixels.

    Parameters
    ----------
    n_frames, n_bytes
        That came.
    shape, dtype
        Of the last one.
    shapes
        All shapes that came.
    numbers, kinds, thetas_deg, attributes
        Of those that were kept, in their order; a kind or an angle is None if it is not said.
    first_s, last_s
        When the first and the last one came, monotonic.
    """

    n_frames: int = 0
    n_bytes: int = 0
    shape: tuple[int, int] | None = None
    dtype: str = ""
    shapes: set[tuple[int, int]] = field(default_factory=set)
    numbers: list[int] = field(default_factory=list)
    kinds: list[str | None] = field(default_factory=list)
    thetas_deg: list[float | None] = field(default_factory=list)
    attributes: list[dict[str, Attribute]] = field(default_factory=list)
    first_s: float = 0.0
    last_s: float = 0.0

    def take(self, frame: StreamFrame, at_s: float) -> None:
        """Note a frame."""
        rows, columns = frame.pixels.shape
        if not self.n_frames:
            self.first_s = at_s
        self.last_s = at_s
        self.n_frames += 1
        self.n_bytes += frame.pixels.nbytes
        self.shape, self.dtype = (rows, columns), frame.pixels.dtype.name
        self.shapes.add((rows, columns))
        if len(self.numbers) < MAX_KEPT:
            self.numbers.append(frame.number)
            self.kinds.append(frame.kind)
            self.thetas_deg.append(frame.theta_deg)
            self.attributes.append(dict(frame.attributes))

    @property
    def rate_hz(self) -> float | None:
        """Frames a second between the first and the last; None with fewer than two."""
        span_s = self.last_s - self.first_s
        return (self.n_frames - 1) / span_s if self.n_frames > 1 and span_s > 0 else None

    @property
    def mb_s(self) -> float | None:
        """Megabytes a second."""
        rate_hz = self.rate_hz
        return None if rate_hz is None else rate_hz * self.n_bytes / self.n_frames / 1e6

    @property
    def shape_notes(self) -> tuple[str, ...]:
        """Say that frames differ in size."""
        if len(self.shapes) < 2:
            return ()
        return (f"frames of {len(self.shapes)} sizes came: a scan must have one",)

    def angle_checks(self, thetas_deg: Sequence[float | None]) -> tuple[SetupFinding, ...]:
        """Check the angles of projections that came; nothing is said while they are few."""
        known = [
            theta
            for theta, kind in zip(thetas_deg, self.kinds, strict=False)
            if theta is not None and kind in (None, "projection")
        ]
        finding = check_angles(np.asarray(known, np.float64))
        # Ten seconds need not hold a whole scan: only radians can be told of a part.
        is_said = finding.verdict == "wrong" and "radians" in finding.text
        return (finding,) if is_said else ()


def heard_counts(heard: HeardFrames, now_s: float) -> dict[str, int]:
    """Count the frames of a scan that was heard from its first frame to the silence after it.

    Parameters
    ----------
    heard
        All frames.
    now_s
        When listening ended, monotonic.

    Returns
    -------
    dict
        Counts by key of the settings; empty if it is not certain that one whole scan was heard.
    """
    runs: list[tuple[str | None, int]] = []
    for kind in heard.kinds:
        if runs and runs[-1][0] == kind:
            runs[-1] = (kind, runs[-1][1] + 1)
        else:
            runs.append((kind, 1))
    order = [kind for kind, _ in runs]
    is_begin = bool(heard.numbers) and heard.numbers[0] in (0, 1)
    is_kept = heard.n_frames == len(heard.kinds)
    if order not in _WHOLE or not is_begin or not is_kept or now_s - heard.last_s < _SILENCE_S:
        return {}
    found: dict[str, int] = {}
    ending = ""
    for kind, count in runs:
        found[f"source.n_{kind}s{ending}"] = count
        if kind == "projection":
            ending = "_after"
    return found

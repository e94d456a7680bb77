"""The account of a scan: what was expected, what came, and what became of the rest."""

from typing import Annotated, Any, Literal

from pydantic import Field

from lithoscope_messages._base import TileNumber, Value
from lithoscope_messages.frames import FrameKind
from lithoscope_messages.reasons import Reasons

Count = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
_NOT_COUNTED = "; null: not counted"


class SetAccount(Value):
    """The account of one set of frames."""

    tile: TileNumber
    kind: FrameKind
    set: int
    expected: Annotated[int | None, Field(ge=0)]
    stored: Count
    doubled: Annotated[
        Count | None, Field(description=f"Sent again with the same pixels{_NOT_COUNTED}")
    ] = None
    late: Annotated[
        Count | None, Field(description=f"Stored, sent after a later one of the set{_NOT_COUNTED}")
    ] = None
    largest_gap_deg: Annotated[
        float | None, Field(ge=0, description="As in the account of the scan; projections only")
    ] = None
    edge_on_coverage: Annotated[
        Fraction | None, Field(description="As in the account of the scan; projections only")
    ] = None


class ScanAccount(Value):
    """What came of a scan and what did not."""

    sets: tuple[SetAccount, ...]
    missing: Annotated[int, Field(ge=0, description="Expected and not stored")]
    doubled: Annotated[
        Count | None,
        Field(description=f"Sent again with the same pixels; stored once{_NOT_COUNTED}"),
    ] = None
    late: Annotated[
        Count | None,
        Field(description=f"Stored, but sent after a later one of their set{_NOT_COUNTED}"),
    ] = None
    rejected: Annotated[
        Reasons | None,
        Field(
            description="Messages that were not taken while the scan ran, by reason: the field "
            "that was wrong, conflict for other pixels under the same key, and what the source "
            f"left out itself{_NOT_COUNTED}"
        ),
    ] = None
    fetched: Annotated[
        Count | None,
        Field(description=f"Stored, of those that came from the detector's file{_NOT_COUNTED}"),
    ] = None
    abandoned: Annotated[
        Count | None, Field(description=f"Given up by their source{_NOT_COUNTED}")
    ] = None
    turn_deg: Annotated[
        Literal[180, 360] | None,
        Field(description="Angles were compared modulo this: 360 after one whole turn"),
    ] = None
    largest_gap_deg: Annotated[
        float | None,
        Field(description="Largest step between neighbouring angles, degrees; of the worst tile"),
    ] = None
    completeness: Annotated[float, Field(ge=0, le=1, description="Projections stored/expected")]
    edge_on_coverage: Annotated[
        Fraction | None,
        Field(description="The same within 15 degrees of edge-on; of the worst tile"),
    ] = None

    @property
    def expected(self) -> int:
        """Frames announced, of all sets."""
        return sum(each.expected or 0 for each in self.sets)

    @property
    def stored(self) -> int:
        """Frames on disk, of all sets."""
        return sum(each.stored for each in self.sets)

    @property
    def anomalies(self) -> dict[str, int]:
        """What was not as it should be, by its name, without zeros; empty for a whole scan."""
        counts = {
            "missing": self.missing,
            "doubled": self.doubled,
            "late": self.late,
            "fetched": self.fetched,
            "abandoned": self.abandoned,
            "rejected": sum((self.rejected or {}).values()),
        }
        return {name: count for name, count in counts.items() if count}


def lift_scan_completed(older: dict[str, Any]) -> dict[str, Any]:
    """Read version 1, which counted neither doubles nor late frames nor what was rejected.

    Its gap was always one of the half-turn, and a damaged account is left to the validation.
    """
    account = older.get("account")
    if not isinstance(account, dict) or account.get("largest_gap_deg") is None:
        return older
    return {**older, "account": {**account, "turn_deg": 180}}

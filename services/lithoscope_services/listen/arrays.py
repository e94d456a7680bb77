"""Listen to array-1.0 in its dialects."""

import json
from collections.abc import Sequence

from lithoscope_services.errors import SourceError
from lithoscope_services.listen.attributes import find_roles, scan_values
from lithoscope_services.listen.finding import COUNTS, VOXEL, Need, SourceFinding
from lithoscope_services.listen.heard import HeardFrames, heard_counts
from lithoscope_services.sources.array_1_0 import decode_array


class ArrayListener:
    """Takes messages of array-1.0 and says which dialect it is."""

    def __init__(self) -> None:
        self.heard = HeardFrames()
        self._dialects: set[str] = set()
        self._refused: list[str] = []

    def take(self, parts: Sequence[bytes], at_s: float) -> None:
        """Note a message; one that cannot be read is counted."""
        dialect = _dialect_of(parts[0])
        try:
            frame = decode_array(parts, columns_first=dialect == "adzmq")
        except SourceError as error:
            self._refused.append(str(error))
            return
        self._dialects.add(dialect)
        self.heard.take(frame, at_s)

    def finding(self, place: str, now_s: float) -> SourceFinding:
        """Say what was heard."""
        heard = self.heard
        if not heard.n_frames or len(self._dialects) != 1:
            reason = self._refused[-1] if self._refused else "several dialects came"
            return SourceFinding(
                place=place,
                dialect="array-1.0",
                unsupported=f"no message of it could be taken: {reason}",
                n_heard=len(self._refused),
            )
        (dialect,) = self._dialects
        make = {"gigafrost": _gigafrost, "adzmq": _adzmq, "plain": _plain}[dialect]
        name, kind_from, theta_from, settings, needs, notes = make(heard)
        counts = heard_counts(heard, now_s)
        if counts:
            notes += ("the counts are those of the scan that was heard",)
        else:
            needs += (COUNTS,)
        settings |= {**counts, **scan_values(heard.attributes)}
        if "scan.voxel_size_um" not in settings:
            needs += (VOXEL,)
        if self._refused:
            notes += (f"{len(self._refused)} messages were refused: {self._refused[-1]}",)
        thetas = _thetas(heard, settings.get("source.theta_attribute"))
        return SourceFinding(
            place=place,
            dialect=name,
            frame_shape=heard.shape,
            dtype=heard.dtype,
            n_heard=heard.n_frames,
            rate_hz=heard.rate_hz,
            mb_s=heard.mb_s,
            kind_from=kind_from,
            theta_from=theta_from,
            settings={"source.kind": "array-1.0", **settings},
            needs=needs,
            notes=notes + heard.shape_notes,
            checks=heard.angle_checks(thetas),
        )


_Said = tuple[str, str, str, dict[str, object], tuple[Need, ...], tuple[str, ...]]
_FORMULA = "no angle in the stream: evenly over 180 degrees, or --set source.theta_file=FILE"


def _dialect_of(header: bytes) -> str:
    if b'"image_attributes"' in header:
        return "gigafrost"
    try:
        htype = json.loads(header).get("htype")
    except (ValueError, AttributeError, RecursionError):
        return "adzmq"  # alone of the three it writes what is no JSON
    return "adzmq" if isinstance(htype, list) else "plain"


def _gigafrost(heard: HeardFrames) -> _Said:
    settings: dict[str, object] = {
        "source.kind_from": "frame",
        "source.numbers": "per_kind",
        "source.theta_from": "formula",
    }
    said = "image_attributes.scan_index: 0 dark, 1 flat, 2 projection"
    return "array-1.0, GigaFRoST", said, _FORMULA, settings, (), ()


def _adzmq(heard: HeardFrames) -> _Said:
    name = "array-1.0, areaDetector (ADZMQ)"
    return (name, *said_by_attributes(heard, {"source.shape_order": "columns_first"}))


def said_by_attributes(
    heard: HeardFrames, settings: dict[str, object]
) -> tuple[str, str, dict[str, object], tuple[Need, ...], tuple[str, ...]]:
    """Say how kind and angle are known where NDAttributes come with the frames."""
    roles = find_roles(heard.attributes)
    needs: tuple[Need, ...] = ()
    settings = settings | {"source.numbers": "running", "source.first_frame": 1}
    if roles.kind is None:
        settings["source.kind_from"] = "order"
        kind_from = "no attribute tells it: the order darks, flats, projections by their counts"
    else:
        settings |= {"source.kind_from": "attribute", "source.kind_attribute": roles.kind}
        kind_from = f"attribute {roles.kind}"
    if roles.theta is not None:
        settings |= {"source.theta_from": "attribute", "source.theta_attribute": roles.theta}
        theta_from = f"attribute {roles.theta}"
    elif roles.theta_candidates:
        settings["source.theta_from"] = "formula"
        names = ", ".join(roles.theta_candidates)
        theta_from = f"several attributes may be the angle: {names}"
        supply = "--set source.theta_attribute=NAME --set source.theta_from=attribute"
        needs += (Need(key="source.theta_attribute", what=theta_from, supply=supply),)
    else:
        settings["source.theta_from"] = "formula"
        theta_from = _FORMULA
    return kind_from, theta_from, settings, needs, ()


def _plain(heard: HeardFrames) -> _Said:
    falls = any(b < a for a, b in zip(heard.numbers, heard.numbers[1:], strict=False))
    numbers = "per_scan" if falls else "running"
    settings: dict[str, object] = {
        "source.kind_from": "order",
        "source.numbers": numbers,
        "source.theta_from": "formula",
    }
    note = (
        "frame numbers began anew while listening: they are taken as those of a scan"
        if falls
        else "frame numbers are taken to run on; if they begin anew with each scan give --set "
        "source.numbers=per_scan"
    )
    kind_from = "nothing in the stream tells it: the order darks, flats, projections by counts"
    return "array-1.0, plain", kind_from, _FORMULA, settings, (), (note,)


def _thetas(heard: HeardFrames, name: object) -> list[float | None]:
    if not isinstance(name, str):
        return []
    values = [each.get(name) for each in heard.attributes]
    return [float(value) if isinstance(value, int | float) else None for value in values]

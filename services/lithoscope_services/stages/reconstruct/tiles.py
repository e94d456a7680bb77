"""The tiles of a scan, each reconstructed into a volume of its own, laid together on the disk."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from lithoscope_messages import AxisFinding, TileFinding
from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.tile_match import (
    MIN_OVERLAP_ROWS,
    Overlap,
    TileShift,
    find_overlap,
    find_tile_shift,
    matching_columns,
    slice_signatures,
)
from lithoscope_pipeline.tiles import TileLayout, lay_out_tiles, stitch_slab
from lithoscope_services.errors import ServiceError
from lithoscope_store import VolumeInfo, read_region, read_slab, volume_info

#: A stage that moves tiles is off by less than this, rows, from what the settings say.
_TOLERANCE_ROWS: Final = 8
#: Slices that are enough to match two tiles by.
_MATCHED_ROWS: Final = 32
_SIGNATURE_ROWS: Final = 64
_NO_SHIFT: Final = TileShift(
    shift_px=(0.0, 0.0, 0.0),
    residual_px=None,
    significance=0.0,
    offset_per_cm=0.0,
    verdict="unresolved",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TileVolume:
    """The volume of one tile, in the frame of its own rotation axis.

    Parameters
    ----------
    tile
        Its number; the lowest rows have the lowest.
    path
        A volume of the store, complete but for its coarser levels.
    axis
        The rotation axis that it was reconstructed about.
    """

    tile: int
    path: Path
    axis: AxisFinding


@dataclass(frozen=True, slots=True, kw_only=True)
class StitchPlan:
    """How the tiles of a scan make one volume.

    Parameters
    ----------
    tiles
        The lowest first.
    layout
        Where each lies.
    findings
        The same as it stands in facts.
    edge_px
        Edge of a slice.
    """

    tiles: tuple[TileVolume, ...]
    layout: TileLayout
    findings: tuple[TileFinding, ...]
    edge_px: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels of the volume (z, y, x)."""
        return self.layout.n_rows, self.edge_px, self.edge_px

    @property
    def flags(self) -> tuple[str, ...]:
        """What an operator should know of."""
        is_unresolved = any(each.verdict == "unresolved" for each in self.findings)
        return ("tile_shift_unresolved",) if is_unresolved else ()

    def slab(self, first: int, last: int) -> FloatVolume:
        """Give some slices of the volume, shape (last - first, y, x), 1/cm."""

        def read(tile: int, begin: int, end: int) -> FloatVolume:
            return np.asarray(read_slab(self.tiles[tile].path, begin, end), np.float32)

        return stitch_slab(self.layout, first, last, read)

    def remove_tiles(self) -> None:
        """Remove the volumes of the tiles: what they show stands in that of the scan."""
        for each in self.tiles:
            shutil.rmtree(each.path, ignore_errors=True)


def tile_numbers(sets: Sequence[dict[str, object]]) -> tuple[int, ...]:
    """List the tiles of a scan from the sets of its account, as JSON, the lowest first."""
    return tuple(sorted({int(str(each["tile"])) for each in sets}))


def plan_stitch(tiles: Sequence[TileVolume], *, overlap_rows: int | None) -> StitchPlan:
    """Find how the tiles of a scan lie on each other.

    Parameters
    ----------
    tiles
        The lowest first.
    overlap_rows
        Rows that neighbours share, as the settings say; None to find them.

    Raises
    ------
    ServiceError
        If the rows are not given and cannot be found.
    StoreError
        If a tile is damaged or not complete.
    """
    infos = [volume_info(each.path) for each in tiles]
    overlaps: list[Overlap] = []
    shifts: list[TileShift] = []
    signatures = [_signatures(tile.path, info) for tile, info in zip(tiles, infos, strict=True)]
    for number in range(1, len(tiles)):
        below, above = number - 1, number
        overlap = _overlap(signatures[below], signatures[above], tiles[above].tile, overlap_rows)
        overlaps.append(overlap)
        shifts.append(
            _shift(tiles[below].path, tiles[above].path, infos[below].shape, overlap.rows)
            if overlap.is_resolved
            else _NO_SHIFT
        )
    layout = lay_out_tiles(
        [info.shape[0] for info in infos], [each.rows for each in overlaps], shifts
    )
    return StitchPlan(
        tiles=tuple(tiles),
        layout=layout,
        findings=_findings(tiles, layout, overlaps, shifts),
        edge_px=infos[0].shape[2],
    )


def _signatures(path: Path, info: VolumeInfo) -> FloatVolume:
    """Read a volume once, a few slices at a time, and keep what tells its slices apart."""
    inner = [matching_columns(n) for n in info.shape[1:]]
    parts = [
        slice_signatures(read_region(path, (slice(z, z + _SIGNATURE_ROWS), inner[0], inner[1])))
        for z in range(0, info.shape[0], _SIGNATURE_ROWS)
    ]
    return np.concatenate(parts)


def _overlap(
    below: FloatVolume, above: FloatVolume, tile: int, overlap_rows: int | None
) -> Overlap:
    if overlap_rows is not None and overlap_rows < MIN_OVERLAP_ROWS:
        return Overlap(rows=overlap_rows, significance=0.0, is_resolved=False)
    near = (
        None
        if overlap_rows is None
        else (overlap_rows - _TOLERANCE_ROWS, overlap_rows + _TOLERANCE_ROWS)
    )
    found = find_overlap(below, above, rows=near)
    if found.is_resolved:
        return found
    if overlap_rows is None:
        raise ServiceError(
            f"tile {tile} cannot be laid on the one below it: no overlap of their slices stands "
            f"out (best: {found.rows} rows at {found.significance:.1f} standard deviations); set "
            "scan.tile_overlap_rows to the rows that neighbours share"
        )
    return Overlap(rows=overlap_rows, significance=found.significance, is_resolved=False)


def _shift(below: Path, above: Path, shape: tuple[int, int, int], overlap: int) -> TileShift:
    """Match the middle of what two tiles share."""
    count = min(overlap, _MATCHED_ROWS)
    first = (overlap - count) // 2
    begin = shape[0] - overlap + first
    inner_y, inner_x = (matching_columns(n) for n in shape[1:])
    return find_tile_shift(
        read_region(below, (slice(begin, begin + count), inner_y, inner_x)),
        read_region(above, (slice(first, first + count), inner_y, inner_x)),
    )


def _findings(
    tiles: Sequence[TileVolume],
    layout: TileLayout,
    overlaps: Sequence[Overlap],
    shifts: Sequence[TileShift],
) -> tuple[TileFinding, ...]:
    lowest = TileFinding(
        tile=tiles[0].tile,
        n_rows=layout.places[0].n_rows,
        origin_px=layout.places[0].origin_px,
        verdict="first",
        axis=tiles[0].axis,
    )
    others = (
        TileFinding(
            tile=tile.tile,
            n_rows=place.n_rows,
            origin_px=place.origin_px,
            overlap_rows=overlap.rows,
            shift_px=shift.shift_px,
            residual_px=shift.residual_px,
            significance=shift.significance,
            offset_per_cm=shift.offset_per_cm,
            verdict=shift.verdict,
            axis=tile.axis,
        )
        for tile, place, overlap, shift in zip(
            tiles[1:], layout.places[1:], overlaps, shifts, strict=True
        )
    )
    return lowest, *others

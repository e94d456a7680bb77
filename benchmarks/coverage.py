"""What missing projections cost by their angle, and what laying tiles together costs."""

from collections.abc import Callable
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.tables import Report, Table
from benchmarks.timing import interleave, one_core, processor_s
from lithoscope_pipeline.coverage import judge_coverage
from lithoscope_pipeline.geometry import FloatStack, FloatVolume, field_axis_px
from lithoscope_pipeline.phantom import SimulatedCell, make_cell
from lithoscope_pipeline.reconstruct import FourierBackend
from lithoscope_pipeline.tile_match import find_tile_shift
from lithoscope_pipeline.tiles import TileLayout, TilePlace, stitch_slab

#: Inside each layer at scan 0, micrometres from the rotation axis, clear of its faces.
ELECTRODES_UM = ((-240.0, -170.0), (145.0, 220.0))
ELECTROLYTE_UM = (-110.0, 90.0)
ALONG = 0.2
EDGE_ON_DEG = 90.0
SHIFT = "shift from 16 slices of at most 1024 x 1024, once a tile: ms in all"
SEEDS = (1, 2, 3)


def measure(*, is_quick: bool) -> Report:
    """Take views away, and lay tiles together."""
    with one_core():
        stitching = _stitching(n_columns=512 if is_quick else 1024, repeats=3)
    return Report(
        title="Missing projections and tiles",
        method=(
            "Contrast of electrolyte against either lithium electrode in the simulated cell at "
            "size tiny (180 projections, no noise), as a share of that of the whole scan: least "
            "and largest over both electrodes and the seeds. Missing projections are weighted "
            "for their gap. The verdict is that of `judge_coverage`.",
            "Tiles: processor time of one thread for a slice, medians of interleaved rounds, as "
            "a share of that of FourierBackend for the same slice from 750 projections.",
        ),
        tables=(_missing(SEEDS[:1] if is_quick else SEEDS), stitching),
        packages=("lithoscope", "numba", "scipy"),
    )


@cache
def _cell(seed: int) -> tuple[SimulatedCell, FloatStack]:
    cell = make_cell("tiny", seed=seed, n_scans=3)
    return cell, cell.line_integrals(0, n_rows=2)


def _contrasts_per_cm(seed: int, kept: NDArray[np.bool_]) -> NDArray[np.float64]:
    cell, attenuation = _cell(seed)
    volume = FourierBackend().reconstruct(
        attenuation[kept],
        np.radians(cell.scan_thetas_deg(0)[kept]),
        rotation_axis_px=cell.rotation_axis_px,
        voxel_um=cell.voxel_um,
    )
    edge = volume.shape[1]
    middle, reach = int(field_axis_px(edge)), int(ALONG * edge)
    profile = volume[:, :, middle - reach : middle + reach].mean(axis=(0, 2), dtype=np.float64)
    height_um = (np.arange(edge) - field_axis_px(edge)) * cell.voxel_um

    def mean_of(low_um: float, high_um: float) -> float:
        return float(profile[(height_um > low_um) & (height_um < high_um)].mean())

    return mean_of(*ELECTROLYTE_UM) - np.array([mean_of(*each) for each in ELECTRODES_UM])


def _missing(seeds: tuple[int, ...]) -> Table:
    thetas_deg = _cell(seeds[0])[0].scan_thetas_deg(0)
    off_deg = np.abs(np.mod(thetas_deg - EDGE_ON_DEG + 90.0, 180.0) - 90.0)
    ahead_deg = np.mod(thetas_deg - EDGE_ON_DEG + 90.0, 180.0) - 90.0
    scattered = np.random.default_rng(0).permutation(np.flatnonzero(off_deg <= 15.0))
    is_lost: dict[str, NDArray[np.bool_]] = {
        "face-on, a block": off_deg > 90.0 - 18.0,
        "at edge-on, one": off_deg < 0.5,
        "at edge-on, a block of 3": off_deg < 1.5,
        "at edge-on, a block of 7": off_deg < 3.5,
        "10 degrees off, a block of 7": np.abs(ahead_deg - 10.0) < 3.5,
        "20 degrees off, a block of 7": np.abs(ahead_deg - 20.0) < 3.5,
        "45 degrees off, a block of 7": np.abs(ahead_deg - 45.0) < 3.5,
        "within 15 degrees, here and there": np.isin(np.arange(len(off_deg)), scattered[:2]),
        "within 15 degrees, more of them": np.isin(np.arange(len(off_deg)), scattered[:6]),
    }
    whole = {seed: _contrasts_per_cm(seed, np.ones(len(off_deg), np.bool_)) for seed in seeds}
    rows = []
    for name, lost in is_lost.items():
        shares = [_contrasts_per_cm(seed, ~lost) / whole[seed] for seed in seeds]
        coverage = judge_coverage(
            np.flatnonzero(~lost), np.radians(thetas_deg[~lost]), n_expected=len(lost)
        )
        rows.append(
            (
                name,
                f"{100 * lost.mean():.1f} %",
                f"{100 * coverage.edge_on_coverage:.0f} %",
                f"{np.min(shares):.2f} to {np.max(shares):.2f}",
                coverage.verdict,
            )
        )
    return Table(
        title="Contrast that is left without some projections",
        columns=("missing", "of all", "there within 15 degrees of edge-on", "contrast", "verdict"),
        rows=rows,
    )


def _stitching(*, n_columns: int, repeats: int) -> Table:
    n_rows = 16
    noise = np.random.default_rng(0).normal(0.0, 1.0, (n_rows, n_columns, n_columns))
    volume = noise.astype(np.float32)
    part = np.ascontiguousarray(volume[..., :1024, :1024])
    attenuation = np.ones((750, n_rows, n_columns), np.float32)
    thetas_rad = np.arange(750) * (np.pi / 750)

    def placed(*origin_px: tuple[float, float, float]) -> TileLayout:
        return TileLayout(
            places=tuple(TilePlace(n_rows=n_rows, origin_px=each) for each in origin_px)
        )

    def read(_tile: int, first: int, last: int) -> FloatVolume:
        return volume[first:last]

    layouts = {
        "alone, as it is": placed((0.0, 0.0, 0.0)),
        "alone, moved": placed((0.0, 0.3, -0.4), (100.0, 0.0, 0.0)),
        "two blended, one moved": placed((0.0, 0.0, 0.0), (0.3, 0.3, -0.4)),
    }
    works: dict[str, Callable[[], object]] = {
        name: partial(stitch_slab, layout, 1, n_rows, read) for name, layout in layouts.items()
    }
    works[SHIFT] = partial(find_tile_shift, part, part)
    works["reconstruction"] = partial(
        FourierBackend().reconstruct,
        attenuation,
        thetas_rad,
        rotation_axis_px=field_axis_px(n_columns),
        voxel_um=1.0,
    )
    timings = interleave(
        {name: partial(processor_s, work) for name, work in works.items()}, repeats=repeats
    )
    return Table(
        title=f"Tiles of {n_columns} x {n_columns} voxels a slice, {n_rows} slices",
        columns=("work", "ms a slice", "share of the reconstruction"),
        rows=[
            (
                name,
                f"{1e3 * timings.median_s(name) / (1 if name == SHIFT else n_rows):.1f}",
                "" if name == SHIFT else timings.ratio_text(name, "reconstruction"),
            )
            for name in works
        ],
    )

"""What the frames of a scan show: what came, flats and darks, light, truncation, angles."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_messages import ScanAccount
from lithoscope_pipeline.setup_checks import LightLevels, check_angles, measure_light
from lithoscope_pipeline.view_angles import is_edge_on
from lithoscope_services.checklist.row import CheckRow
from lithoscope_store import ExperimentPaths, FrameReader

#: Rows in the middle of the detector, and views of either sort, that are looked at.
_N_ROWS: Final = 8
_N_VIEWS: Final = 24
_FULL: Final = {"uint8": 255.0, "uint16": 65_535.0, "uint32": 4_294_967_295.0}
_LEAST_FLATS: Final = 10
_LEAST_PHOTONS: Final = 200.0
_LEAST_TRANSMISSION: Final = 0.02
_MOST_CHANGE: Final = 0.02


def frame_rows(
    paths: ExperimentPaths, scan: int, edge_on_deg: float, n_tiles: int
) -> Iterator[CheckRow]:
    """Look at the frames of a scan; of several tiles at those of the middle one.

    Parameters
    ----------
    paths
        Of the experiment.
    scan
        Its number.
    edge_on_deg
        Stage angle at which the beam runs along the electrodes.
    n_tiles
        Tiles that were set up.
    """
    tiles = paths.tiles(scan)
    if not tiles:
        yield CheckRow(
            name="frames", state="problem", found="none is on disk", advice="look at the source"
        )
        return
    yield _tiles_row(len(tiles), n_tiles)
    reader = FrameReader(paths, scan, tiles[len(tiles) // 2])
    thetas_deg = reader.thetas_deg("projection")
    yield CheckRow.of(check_angles(thetas_deg[np.isfinite(thetas_deg)]))
    lacking = [kind for kind in ("flat", "dark") if not len(reader.indices(kind))]
    if lacking or not len(thetas_deg):
        yield CheckRow(
            name="flats and darks",
            state="problem",
            found=f"no {' and no '.join(lacking) or 'projection'} in the scan",
            advice="let the plan take flats and darks before the projections; look at kind_from",
        )
        return
    levels = _measure(reader, thetas_deg, edge_on_deg)
    n_flats, n_darks = (sum(1 for key in reader.keys if key.kind == k) for k in ("flat", "dark"))
    yield _flat_row(levels, n_flats, n_darks)
    yield _light_row(levels)
    yield _truncation_row(levels)


def account_row(account: ScanAccount) -> CheckRow:
    """Say what became of the frames that were announced or sent."""
    found = f"{account.stored} of {account.expected} frames stored"
    anomalies = ", ".join(f"{count} {name}" for name, count in account.anomalies.items())
    numbers = {"stored": float(account.stored), "expected": float(account.expected)}
    if not anomalies:
        return CheckRow(name="frames", state="ok", found=found, numbers=numbers)
    return CheckRow(
        name="frames",
        state="warning",
        found=f"{found}; {anomalies}",
        advice="reasons: lithoscope report --json, account of the scan",
        numbers=numbers,
    )


def _tiles_row(n_found: int, n_set: int) -> CheckRow:
    numbers = {"found": float(n_found), "set": float(n_set)}
    if n_found == n_set:
        return CheckRow(name="tiles", state="ok", found=f"{n_found}", numbers=numbers)
    return CheckRow(
        name="tiles",
        state="problem",
        found=f"{n_found} came, scan.n_tiles is {n_set}",
        advice="set scan.n_tiles, or look at the plan",
        numbers=numbers,
    )


def _measure(
    reader: FrameReader, thetas_deg: NDArray[np.float64], edge_on_deg: float
) -> LightLevels:
    layout = reader.layout("projection")
    n_rows = min(_N_ROWS, layout.rows)
    first = (layout.rows - n_rows) // 2
    rows = slice(first, first + n_rows)
    indices = reader.indices("projection")
    known = np.nan_to_num(thetas_deg)
    near = indices[is_edge_on(np.deg2rad(known - edge_on_deg + 90.0))]
    near = near if len(near) else indices
    return measure_light(
        np.concatenate([reader.read("flat", s, rows) for s in reader.sets("flat")]),
        np.concatenate([reader.read("dark", s, rows) for s in reader.sets("dark")]),
        reader.read("projection", 0, rows, indices=_spread(near)),
        reader.read("projection", 0, rows, indices=_spread(indices)),
        full_counts=_FULL.get(np.dtype(layout.dtype).name),
    )


def _spread(indices: NDArray[Any]) -> NDArray[Any]:  # of whole numbers
    places = np.unique(np.linspace(0, len(indices) - 1, _N_VIEWS).round().astype(int))
    return indices[places]


def _flat_row(levels: LightLevels, n_flats: int, n_darks: int) -> CheckRow:
    found = (
        f"{n_flats} flats at {levels.flat_counts:.0f}, {n_darks} darks at "
        f"{levels.dark_counts:.0f} counts; flats vary by {100 * levels.flat_change:.1f} %"
    )
    numbers = {
        "flat_counts": levels.flat_counts,
        "dark_counts": levels.dark_counts,
        "flat_change": levels.flat_change,
        "saturated_share": levels.saturated_share,
    }
    if levels.flat_counts < 2 * max(levels.dark_counts, 1.0):
        state, advice = "problem", "the beam is hardly brighter than the darks: shutter, or kinds"
    elif levels.saturated_share > 1e-3:
        state, advice = "problem", "flats are at the top of the range: expose for a shorter time"
    elif levels.flat_change > _MOST_CHANGE:
        state, advice = "warning", "the beam is not steady: take flats after, too (n_flats_after)"
    elif n_flats < _LEAST_FLATS:
        state, advice = "note", f"fewer than {_LEAST_FLATS} flats add noise that makes rings"
    else:
        state, advice = "ok", ""
    return CheckRow(
        name="flats and darks",
        state=state,  # type: ignore[arg-type] # one of the literals above
        found=found,
        advice=advice,
        numbers=numbers,
    )


def _light_row(levels: LightLevels) -> CheckRow:
    photons = levels.edge_on_photons
    share = 100 * levels.edge_on_transmission
    found = f"{levels.edge_on_counts:.0f} counts, {share:.1f} % of the beam"
    numbers = {
        "counts": levels.edge_on_counts,
        "transmission": levels.edge_on_transmission,
    }
    if photons is not None:
        found += f", about {photons:.0f} photons a pixel"
        numbers["photons"] = photons
    is_dark = levels.edge_on_transmission < _LEAST_TRANSMISSION
    if is_dark or (photons is not None and photons < _LEAST_PHOTONS):
        advice = (
            "the views that tell the layers apart are the noisiest: expose longer, or raise the "
            "energy"
        )
        return CheckRow(
            name="counts edge-on", state="warning", found=found, advice=advice, numbers=numbers
        )
    return CheckRow(name="counts edge-on", state="ok", found=found, numbers=numbers)


def _truncation_row(levels: LightLevels) -> CheckRow:
    share = levels.truncated_share
    numbers = {"share": share}
    if share == 0:
        found = "the sample is inside the view at all angles"
        return CheckRow(name="truncation", state="ok", found=found, numbers=numbers)
    found = f"the sample is wider than the view in {100 * share:.0f} % of the views"
    advice = (
        "usual for a pouch cell: grey values hold within one scan only; both electrodes must be "
        "in view edge-on"
    )
    return CheckRow(name="truncation", state="note", found=found, advice=advice, numbers=numbers)

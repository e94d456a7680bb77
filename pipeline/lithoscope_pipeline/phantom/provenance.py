"""How a simulated experiment was made: version, parameters, tiles, pulses and faults, as truth."""

from dataclasses import asdict
from typing import Any, Final

from lithoscope_pipeline.phantom.acquisition import tile_first_row
from lithoscope_pipeline.phantom.cell import SimulatedCell
from lithoscope_pipeline.phantom.faults import draw_faults
from lithoscope_pipeline.phantom.pulses import pulses_of

# How hard the default cell is to segment was measured once, from outside; scores of programs and
# networks mean something only beside it. So any change of what equal arguments give raises this
# number, and scores are quoted with it.
SIMULATOR_VERSION: Final = 2


def provenance_of(cell: SimulatedCell) -> dict[str, Any]:  # JSON
    """Return how an experiment was made, ready for JSON.

    Parameters
    ----------
    cell
        The simulated cell.

    Returns
    -------
    dict
        ``simulator_version``; ``family``; ``parameters`` of cell and detector, every switch with
        its size; ``tiles`` with their first row in the volume and their rotation axis; ``pulses``
        with the share of their charge that moves lithium; ``faults``, one entry for each tile of
        a scan that was hit, with the numbers of the projections.
    """
    detector = cell.detector
    tiles = range(detector.acquisition.n_tiles)
    return {
        "simulator_version": SIMULATOR_VERSION,
        "family": cell.family,
        "parameters": {"cell": asdict(cell.cell), "detector": asdict(detector)},
        "tiles": [
            {
                "tile": tile,
                "first_row": tile_first_row(detector, tile),
                "n_rows": detector.n_rows,
                "rotation_axis_px": cell.tile_axis_px(tile),
            }
            for tile in tiles
        ],
        "pulses": [asdict(pulse) for pulse in pulses_of(cell.cell)],
        "faults": [
            {"scan": point.scan, "tile": tile, **hits}
            for point in cell.schedule
            for tile in tiles
            if (hits := _hits(cell, point.scan, tile))
        ],
    }


def _hits(cell: SimulatedCell, scan: int, tile: int) -> dict[str, list[int]]:
    thetas_deg = cell.scan_thetas_deg(scan)
    record = draw_faults(
        cell.detector.faults, thetas_deg, seed=cell.cell.seed, scan=scan, tile=tile
    )
    return record.by_name

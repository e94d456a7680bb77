"""Whether dendrites stand in clusters: the index of dispersion of their number over tiles.

Places drawn independently of each other give a variance as large as the mean, clusters a larger
one, an even spread a smaller one [1]_.

References
----------
.. [1] R. A. Fisher, H. G. Thornton, W. A. Mackenzie, Ann. Appl. Biol. 9, 325 (1922).
   doi:10.1111/j.1744-7348.1922.tb05962.x
"""

from typing import Final

import numpy as np
from scipy import stats

from lithoscope_pipeline.measure.gaps import MIN_OBJECT_VOXELS
from lithoscope_pipeline.measure.objects import ObjectTable
from lithoscope_pipeline.metric import Metric, measured, not_measured

TILE_UM: Final = 50.0
_LEAST_TILES: Final = 4


def measure_dispersion(
    objects: ObjectTable, *, plane: tuple[int, int], voxel_um: float
) -> dict[str, Metric]:
    """Measure how evenly dendrites are spread over the plane.

    Parameters
    ----------
    objects
        Of the scan.
    plane
        Pixels along (z, x).
    voxel_um
        Edge of a voxel, micrometres.

    Returns
    -------
    dict
        ``dendrite_dispersion_index``: variance over mean of the number of dendrites of at least
        27 voxels whose middle lies in a tile, over all whole tiles of about 50 um; 1 for chance,
        more for clusters. Its p-value is that of chance, by chi square, two-sided.
    """
    name = "dendrite_dispersion_index"
    tiles = tuple(int(n * voxel_um // TILE_UM) for n in plane)
    if min(tiles) < 1 or tiles[0] * tiles[1] < _LEAST_TILES:
        return {name: not_measured("1", "too_few_tiles")}
    places = [
        (each.centre_px[0] + 0.5, each.centre_px[2] + 0.5)
        for each in objects.objects
        if each.kind == "dendrite" and each.voxels >= MIN_OBJECT_VOXELS
    ]
    if not places:
        return {name: not_measured("1", "no_object")}
    z, x = np.array(places).T
    # Tiles are stretched to fill the plane: none is cut, and no dendrite is left out.
    counts = np.histogram2d(z, x, bins=tiles, range=((0, plane[0]), (0, plane[1])))[0]
    mean = float(counts.mean())
    index = float(counts.var(ddof=1)) / mean
    freedom = counts.size - 1
    below = float(stats.chi2.cdf(freedom * index, freedom))
    p_value = min(1.0, 2 * min(below, 1 - below))
    return {name: measured(index, "1", voxels=len(places), p_value=p_value)}

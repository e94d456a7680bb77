"""How far the beam has changed between two flats: what no division by old flats takes away."""

import numpy as np

from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.geometry import FloatImage
from lithoscope_pipeline.metric import Metric, not_measured

#: Pixels are averaged over squares of this side: what remains is the beam, not the noise.
_BLOCK_PX = 8
_NORMAL_95 = 1.96


def measure_flat_drift(reference: FloatImage, current: FloatImage) -> Metric:
    """Measure by how much the pattern of the beam has changed, whatever its brightness.

    Parameters
    ----------
    reference, current
        Flats less darks, or flats where the darks are far below them; shape (n_rows, n_columns).

    Returns
    -------
    Metric
        ``flat_drift_share``: root mean square of their ratio over squares of 8 pixels, about its
        median, 1. Its interval is that of a variance of so many squares.

    Raises
    ------
    ShapeError
        If they differ in shape.
    """
    if reference.shape != current.shape or reference.ndim != 2:
        raise ShapeError(
            f"flats have shapes {reference.shape} and {current.shape}; give two of one detector"
        )
    before, now = _blocks(reference), _blocks(current)
    lit = before > 0
    if lit.sum() < 2:
        return not_measured("1", "dark_flats")
    ratio = now[lit] / before[lit]
    middle = float(np.median(ratio))
    if not middle > 0:
        return not_measured("1", "dark_flats")
    share = float(np.sqrt(np.mean((ratio / middle - 1.0) ** 2)))
    wide = _NORMAL_95 / np.sqrt(2.0 * lit.sum())
    return Metric(
        value=share,
        unit="1",
        low95=share * max(0.0, 1.0 - wide),
        high95=share * (1.0 + wide),
        voxels=int(lit.sum()),
    )


def _blocks(image: FloatImage) -> FloatImage:
    rows, columns = (max(1, n // _BLOCK_PX) for n in image.shape)
    side = (image.shape[0] // rows, image.shape[1] // columns)
    cut = image[: rows * side[0], : columns * side[1]].astype(np.float64)
    return cut.reshape(rows, side[0], columns, side[1]).mean(axis=(1, 3))

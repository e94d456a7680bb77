"""A slice of a stored scan with its channels: earlier scans as registration would leave them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.data.files import StoredExperiment, StoredScan
from lithoscope_pipeline.networks import ModelInputs, SeenScan, network_inputs, warp_earlier
from lithoscope_pipeline.segment import GreyReferences

_Box = tuple[slice, slice]  # rows along y and columns of a slice across the electrodes
WHOLE: _Box = (slice(None), slice(None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Channels of a patch, (n_channels, rows, columns), and its classes, (rows, columns)."""

    x: NDArray[np.float32]
    classes: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """How far an earlier scan lies from where it is thought to be, voxels.

    Parameters
    ----------
    z_px, x_px
        In the plane, whole voxels.
    stripping_px, plating_px
        Of each face along y, shape (n_x,) or a number.
    """

    z_px: int = 0
    x_px: int = 0
    stripping_px: float | NDArray[np.float64] = 0.0
    plating_px: float | NDArray[np.float64] = 0.0


def sample_at(
    experiment: StoredExperiment,
    index: int,
    at: int,
    inputs: ModelInputs,
    *,
    previous: int | None,
    first: int | None,
    errors: tuple[Error, Error] | None = None,
    faces_px: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0),
    box: _Box = WHOLE,
) -> Sample:
    """Give a slice with its channels.

    Parameters
    ----------
    experiment
        Where from.
    index
        Place of the scan in it.
    at
        The slice.
    inputs
        Channels.
    previous, first
        Places of the earlier scans that are shown, None for none.
    errors
        What registration has left of the previous scan and of the first one.
    faces_px
        How far from their place the faces of the scan were found.
    box
        Rows and columns of a slice across the electrodes; all of it by default.
    """
    now = experiment.scans[index]
    wrong = errors or (Error(), Error())
    z_rows, middle = _rows(now, at, inputs)
    y_rows, columns = (np.arange(n)[part] for n, part in zip(now.grey.shape[1:], box, strict=True))
    seen = []
    for place, error in zip((previous, first), wrong, strict=True):
        shown = None if place is None else experiment.scans[place]
        near = _needed(len(z_rows), middle, inputs)
        over = _over(now, shown, experiment.scans[0], (z_rows[near], y_rows, columns), error)
        seen.append(None if over is None else _among(over, len(z_rows), near))
    volume = _cut(now, z_rows, y_rows, columns)
    x = network_inputs(
        SeenScan(volume=volume, references=_misplaced(now.references, faces_px)),
        previous=seen[0],
        first=seen[1],
        inputs=inputs,
        voxel_um=experiment.voxel_um,
        slices=(middle, middle + 1),
        first_row=int(y_rows[0]),
    )[0]
    classes = now.classes[(at, *box)] if inputs.slice_axis == 0 else now.classes[:, at]
    return Sample(x=x, classes=np.array(classes))


def _misplaced(
    references: GreyReferences, errors_px: tuple[float, float, float, float]
) -> GreyReferences:
    a, b, c, d = (edge + error for edge, error in zip(references.edges_px, errors_px, strict=True))
    return replace(references, edges_px=(a, b, c, d))


def _rows(scan: StoredScan, at: int, inputs: ModelInputs) -> tuple[NDArray[np.intp], int]:
    """Give the rows along z that a slice needs, and its place in them along the slice axis."""
    n_z = scan.grey.shape[0]
    if inputs.slice_axis == 1:
        return np.arange(n_z), at
    halo = inputs.halo
    return np.clip(np.arange(at - halo, at + halo + 1), 0, n_z - 1), halo


def _needed(n_rows: int, middle: int, inputs: ModelInputs) -> slice:
    """Give which of the rows along z earlier scans are shown of."""
    if inputs.slice_axis == 1:
        return slice(0, n_rows)
    return slice(middle - inputs.n_earlier_neighbours, middle + inputs.n_earlier_neighbours + 1)


def _among(scan: SeenScan, n_rows: int, rows: slice) -> SeenScan:
    """Put some rows of a scan among others that nobody looks at."""
    volume = np.zeros((n_rows, *scan.volume.shape[1:]), np.float32)
    volume[rows] = scan.volume
    return SeenScan(volume=volume, references=scan.references)


def _cut(
    scan: StoredScan,
    z_rows: NDArray[np.intp],
    y_rows: NDArray[np.intp],
    columns: NDArray[np.intp],
) -> NDArray[np.float32]:
    """Read some voxels; in each direction they lie side by side, but at the ends."""
    low = [int(each.min()) for each in (z_rows, y_rows, columns)]
    high = [int(each.max()) + 1 for each in (z_rows, y_rows, columns)]
    # Cut first: a block is read in one go, single rows are not.
    part = np.asarray(scan.grey[low[0] : high[0], low[1] : high[1], low[2] : high[2]], np.float32)
    if not np.array_equal(z_rows, np.arange(low[0], high[0])):
        part = part[z_rows - low[0]]
    if not np.array_equal(columns, np.arange(low[2], high[2])):
        part = part[:, :, columns - low[2]]
    return part


def _over(
    now: StoredScan,
    earlier: StoredScan | None,
    pristine: StoredScan,
    place: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]],
    error: Error,
) -> SeenScan | None:
    """Lay an earlier scan over the present one; None if there is none or a face is missing."""
    if earlier is None or now.shifts_px is None or earlier.shifts_px is None:
        return None
    z_rows, y_rows, columns = place
    n_z, n_y, n_x = now.grey.shape
    moved_z = (z_rows + error.z_px) % n_z if abs(error.z_px) > 3 else z_rows + error.z_px
    since = now.shifts_px[:, z_rows][..., columns] - earlier.shifts_px[:, z_rows][..., columns]
    stripping = since[0] + np.broadcast_to(error.stripping_px, (n_x,))[columns]
    plating = since[1] + np.broadcast_to(error.plating_px, (n_x,))[columns]
    reach = int(np.ceil(max(np.abs(stripping).max(), np.abs(plating).max()))) + 1
    y0, y1 = max(int(y_rows[0]) - reach, 0), min(int(y_rows[-1]) + 1 + reach, n_y)
    grey = _cut(
        earlier, np.clip(moved_z, 0, n_z - 1), np.arange(y0, y1), (columns + error.x_px) % n_x
    )
    inner_px = pristine.references.edges_px[2] + float(earlier.shifts_px[1].mean())
    volume = warp_earlier(
        grey,
        stripping.astype(np.float32),
        plating.astype(np.float32),
        plating_inner_px=inner_px,
        first_row=y0,
    )
    cut = volume[:, int(y_rows[0]) - y0 : int(y_rows[-1]) + 1 - y0]
    return SeenScan(volume=cut, references=earlier.references)

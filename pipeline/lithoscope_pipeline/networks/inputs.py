"""What a network is shown: neighbouring slices, earlier scans, and where a voxel lies."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatStack, FloatVolume
from lithoscope_pipeline.segment.references import GreyReferences

View = Literal["cross-section", "in-plane"]

_DEPTH_UM = 100.0  # an electrode is about one unit thick
_DEEPEST = 6.0
_BRIGHTEST = 6.0  # foil and particles; electrolyte is 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInputs:
    """Which channels a network takes, in this order.

    Parameters
    ----------
    n_neighbours
        Slices of the present scan on either side.
    n_earlier_neighbours
        Slices on either side in each earlier scan.
    has_previous, has_first
        Whether the previous and the first scan are shown, each with a flag that says whether
        there is one.
    has_depth
        Whether the distances from both outer faces are shown.
    view
        What a slice is: ``cross-section`` is normal to z, ``in-plane`` normal to y.
    """

    n_neighbours: int = 2
    n_earlier_neighbours: int = 1
    has_previous: bool = True
    has_first: bool = True
    has_depth: bool = True
    view: View = "cross-section"

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels, such as ``now-1`` for the slice before."""
        names = [f"now{i:+d}" for i in _around(self.n_neighbours)]
        for earlier in self.earlier:
            names += [f"{earlier}{i:+d}" for i in _around(self.n_earlier_neighbours)]
            names.append(f"has_{earlier}")
        return (*names, *(("depth_stripping", "depth_plating") if self.has_depth else ()))

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return len(self.channels)

    @property
    def earlier(self) -> tuple[Literal["previous", "first"], ...]:
        """Earlier scans that are shown."""
        shown: list[Literal["previous", "first"]] = []
        if self.has_previous:
            shown.append("previous")
        if self.has_first:
            shown.append("first")
        return tuple(shown)

    @property
    def slice_axis(self) -> int:
        """Axis of a volume (z, y, x) that slices are normal to."""
        return 0 if self.view == "cross-section" else 1

    @property
    def halo(self) -> int:
        """Slices on either side of a slab that its channels are made from."""
        earlier = self.n_earlier_neighbours if self.earlier else 0
        return max(self.n_neighbours, earlier)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenScan:
    """A scan on the grid of the present one, with its grey values.

    Parameters
    ----------
    volume
        Shape (n_z, n_y, n_x), float32; an earlier scan already warped (`warp_earlier`).
    references
        Grey values of electrode and electrolyte in the whole scan, found once for all slabs.
        Those of the present scan also say where the outer faces lie.
    """

    volume: FloatVolume
    references: GreyReferences


def network_inputs(
    now: SeenScan,
    *,
    previous: SeenScan | None,
    first: SeenScan | None,
    inputs: ModelInputs,
    voxel_um: float,
    slices: tuple[int, int] | None = None,
    first_row: int = 0,
) -> FloatStack:
    """Build the channels of some slices.

    Grey values are scaled so that the electrode of each scan is 0 and its electrolyte 1: scans
    have unknown offsets, and so polarity does not matter. A scan that is missing, or that was
    not registered, is left out by None: its channels are 0 and its flag is 0.

    Parameters
    ----------
    now
        The present scan.
    previous, first
        Earlier scans over the present one, of the same shape, or None.
    inputs
        Which channels.
    voxel_um
        Edge of a voxel.
    slices
        First slice and one past the last, along ``inputs.slice_axis`` of the volumes; all by
        default. Neighbours are taken from the volumes; beyond their ends the last slice is
        repeated, so give a slab with ``inputs.halo`` slices around it where there are some.
    first_row
        Row of the whole region in which the volumes begin, for volumes cut along y: the faces
        in ``now.references`` count from the whole region.

    Returns
    -------
    FloatStack
        Shape (n_slices, n_channels, n_rows, n_columns), float32, contiguous. Rows and columns
        are (y, x) for cross-sections and (z, x) in the plane.

    Raises
    ------
    ShapeError
        If the scans differ in shape.
    ParameterError
        If electrode and electrolyte of a scan have the same grey value, or the slices do not
        lie in the volume.
    """
    n_slices = now.volume.shape[inputs.slice_axis]
    start, stop = (0, n_slices) if slices is None else slices
    if not 0 <= start < stop <= n_slices:
        raise ParameterError(f"slices {start} to {stop} of {n_slices} were asked for")
    rest = [n for axis, n in enumerate(now.volume.shape) if axis != inputs.slice_axis]
    out = np.zeros((stop - start, inputs.n_channels, *rest), np.float32)
    at = _fill(out, 0, now, inputs.n_neighbours, (start, stop), inputs)
    for name in inputs.earlier:
        scan = previous if name == "previous" else first
        if scan is None:
            at += 2 * inputs.n_earlier_neighbours + 2
            continue
        if scan.volume.shape != now.volume.shape:
            msg = f"{name} scan has shape {scan.volume.shape}, the present {now.volume.shape}"
            raise ShapeError(f"{msg}; resample both to one region")
        at = _fill(out, at, scan, inputs.n_earlier_neighbours, (start, stop), inputs)
        out[:, at] = 1.0
        at += 1
    if inputs.has_depth:
        _fill_depths(out[:, at:], now, voxel_um, first_row, (start, stop), inputs)
    return out


def _fill(
    out: FloatStack,
    at: int,
    scan: SeenScan,
    n_around: int,
    slices: tuple[int, int],
    inputs: ModelInputs,
) -> int:
    """Fill the channels of a scan from ``at`` on; give the next one."""
    references = scan.references
    contrast = references.electrolyte - references.electrode
    if contrast == 0:
        msg = "electrode and electrolyte have the same grey value; find the references again"
        raise ParameterError(msg)
    volume = np.moveaxis(scan.volume, inputs.slice_axis, 0)
    low, high = max(slices[0] - n_around, 0), min(slices[1] + n_around, len(volume))
    grey = (volume[low:high] - np.float32(references.electrode)) / np.float32(contrast)
    np.clip(grey, -_BRIGHTEST, _BRIGHTEST, out=grey)
    for offset in _around(n_around):
        rows = np.clip(np.arange(*slices) + offset, 0, len(volume) - 1) - low
        out[:, at] = grey[rows]
        at += 1
    return at


def _fill_depths(
    out: FloatStack,
    now: SeenScan,
    voxel_um: float,
    first_row: int,
    slices: tuple[int, int],
    inputs: ModelInputs,
) -> None:
    """Fill in the distances from the outer faces, inwards."""
    stripping_px, plating_px = now.references.edges_px[0], now.references.edges_px[3]
    rows_px = first_row + np.arange(now.volume.shape[1], dtype=np.float32)
    depths = (rows_px - stripping_px, plating_px - rows_px)
    for channel, depth_px in enumerate(depths):
        depth = np.clip(depth_px * (voxel_um / _DEPTH_UM), -_DEEPEST, _DEEPEST)
        if inputs.view == "cross-section":
            out[:, channel] = depth[None, :, None]
        else:
            out[:, channel] = depth[slices[0] : slices[1], None, None]


def _around(n: int) -> range:
    return range(-n, n + 1)

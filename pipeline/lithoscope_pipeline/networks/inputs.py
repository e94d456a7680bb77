"""What a network is shown: neighbouring slices, earlier scans, and where a voxel lies."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatStack, FloatVolume
from lithoscope_pipeline.segment.references import GreyReferences

View = Literal["cross-section", "in-plane"]
#: What an earlier scan is to the one that is segmented.
Which = Literal["previous", "first"]

#: Rows after which a slice looks to a network as it did: it halves them four times.
FACE_STEP_PX = 16

_DEPTH_UM = 100.0  # an electrode is about one unit thick
_DEEPEST = 6.0
_BRIGHTEST = 6.0  # foil and particles; electrolyte is 1
_NEAR_UM = 10.0  # around a face; a voxel is then as large a step as the contrast of a material
_NEAREST = 2.0


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
    n_around
        Slices on either side whose mean is shown as one channel, 0 for none: how high a layer
        stands about here, with less noise than a slice has.
    has_faces
        Whether the distances from both inner faces are shown, and, with the first scan, from where
        the pristine electrodes would end today: their thickness then, from their outer face now.
        No registration enters, so that an error of it can be told from lithium.
    view
        What a slice is: ``cross-section`` is normal to z, ``in-plane`` normal to y.
    face_phase_px
        Rows from a multiple of 16 of a slice's rows to the inner face of the stripping side,
        where cross-sections begin so: networks halve rows up to four times, and where a face
        falls between these steps shows in what they find of thin things on it. None where slices
        begin anywhere.
    """

    n_neighbours: int = 2
    n_earlier_neighbours: int = 1
    has_previous: bool = True
    has_first: bool = True
    has_depth: bool = True
    n_around: int = 0
    has_faces: bool = False
    view: View = "cross-section"
    face_phase_px: int | None = None

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels, such as ``now-1`` for the slice before."""
        names = [f"now{i:+d}" for i in _around(self.n_neighbours)]
        names += ["around"] if self.n_around else []
        for earlier in self.earlier:
            names += [f"{earlier}{i:+d}" for i in _around(self.n_earlier_neighbours)]
            names.append(f"has_{earlier}")
        names += ["depth_stripping", "depth_plating"] if self.has_depth else []
        if self.has_faces:
            names += ["face_stripping", "face_plating"]
            names += ["foil_stripping", "foil_plating"] if self.has_first else []
        return tuple(names)

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return len(self.channels)

    @property
    def earlier(self) -> tuple[Which, ...]:
        """Earlier scans that are shown."""
        shown: list[Which] = []
        if self.has_previous:
            shown.append("previous")
        if self.has_first:
            shown.append("first")
        return tuple(shown)

    @property
    def earlier_channels(self) -> tuple[int, ...]:
        """Places of the channels that are 0 when no earlier scan is shown."""
        marks = ("previous", "first", "has_", "foil_")
        return tuple(i for i, name in enumerate(self.channels) if name.startswith(marks))

    @property
    def slice_axis(self) -> int:
        """Axis of a volume (z, y, x) that slices are normal to."""
        return 0 if self.view == "cross-section" else 1

    def aligned_row(self, row: int, face_px: float) -> int:
        """Give the row from which a slice begins so that its face lies as it should.

        Parameters
        ----------
        row
            Where it would begin; it begins there, or up to 15 rows before, below 0 too.
        face_px
            Row of the inner face of the stripping side.
        """
        if self.face_phase_px is None or self.slice_axis != 0:
            return row
        return row - (row - round(face_px) + self.face_phase_px) % FACE_STEP_PX

    @property
    def halo(self) -> int:
        """Slices on either side of a slab that its channels are made from."""
        earlier = self.n_earlier_neighbours if self.earlier else 0
        return max(self.n_neighbours, earlier, self.n_around)


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
    if inputs.n_around:
        out[:, at] = _mean_around(now, (start, stop), inputs)
        at += 1
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
    distances = _distances_um(now, first, inputs)
    _fill_distances(out[:, at:], distances, voxel_um, first_row, (start, stop), inputs)
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
    volume = np.moveaxis(scan.volume, inputs.slice_axis, 0)
    low, high = max(slices[0] - n_around, 0), min(slices[1] + n_around, len(volume))
    grey = _scaled(volume[low:high], scan.references)
    for offset in _around(n_around):
        rows = np.clip(np.arange(*slices) + offset, 0, len(volume) - 1) - low
        out[:, at] = grey[rows]
        at += 1
    return at


def _scaled(volume: FloatVolume, references: GreyReferences) -> FloatVolume:
    """Scale grey values so that the electrode is 0 and the electrolyte 1."""
    contrast = references.electrolyte - references.electrode
    if contrast == 0:
        msg = "electrode and electrolyte have the same grey value; find the references again"
        raise ParameterError(msg)
    grey = (volume - np.float32(references.electrode)) / np.float32(contrast)
    return np.asarray(np.clip(grey, -_BRIGHTEST, _BRIGHTEST, out=grey), np.float32)


def _mean_around(now: SeenScan, slices: tuple[int, int], inputs: ModelInputs) -> FloatVolume:
    """Average the slices around each one; beyond the ends the last slice is repeated."""
    volume = np.moveaxis(now.volume, inputs.slice_axis, 0)
    n = inputs.n_around
    low, high = max(slices[0] - n, 0), min(slices[1] + n, len(volume))
    grey = _scaled(volume[low:high], now.references)
    out = np.zeros((slices[1] - slices[0], *grey.shape[1:]), np.float32)
    # Summed in the same order for each slice, so that slabs do not show in the last digit.
    for offset in _around(n):
        out += grey[np.clip(np.arange(*slices) + offset, 0, len(volume) - 1) - low]
    out /= np.float32(2 * n + 1)
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class _Distance:
    """A channel of distances along y from a face; None where it is not known."""

    from_px: float | None
    is_inwards_up: bool
    unit_um: float
    largest: float


def _distances_um(now: SeenScan, first: SeenScan | None, inputs: ModelInputs) -> list[_Distance]:
    """Give the channels of distances, in their order."""
    edges = now.references.edges_px
    places: list[tuple[float | None, bool, bool]] = []
    if inputs.has_depth:
        places += [(edges[0], True, False), (edges[3], False, False)]
    if inputs.has_faces:
        places += [(edges[1], True, True), (edges[2], False, True)]
    if inputs.has_faces and inputs.has_first:
        pristine = None if first is None else first.references.edges_px
        low = None if pristine is None else edges[0] + pristine[1] - pristine[0]
        high = None if pristine is None else edges[3] + pristine[2] - pristine[3]
        places += [(low, True, True), (high, False, True)]
    return [
        _Distance(
            from_px=place,
            is_inwards_up=is_up,
            unit_um=_NEAR_UM if is_near else _DEPTH_UM,
            largest=_NEAREST if is_near else _DEEPEST,
        )
        for place, is_up, is_near in places
    ]


def _fill_distances(
    out: FloatStack,
    distances: list[_Distance],
    voxel_um: float,
    first_row: int,
    slices: tuple[int, int],
    inputs: ModelInputs,
) -> None:
    """Fill in the distances from the faces, inwards."""
    n_rows = slices[1] if inputs.view == "in-plane" else out.shape[2]
    rows_px = first_row + np.arange(n_rows, dtype=np.float32)
    for channel, distance in enumerate(distances):
        if distance.from_px is None:
            continue
        beyond_px = rows_px - np.float32(distance.from_px)
        inwards_px = beyond_px if distance.is_inwards_up else -beyond_px
        depth = inwards_px * np.float32(voxel_um / distance.unit_um)
        np.clip(depth, -distance.largest, distance.largest, out=depth)
        if inputs.view == "cross-section":
            out[:, channel] = depth[None, :, None]
        else:
            out[:, channel] = depth[slices[0] : slices[1], None, None]


def _around(n: int) -> range:
    return range(-n, n + 1)

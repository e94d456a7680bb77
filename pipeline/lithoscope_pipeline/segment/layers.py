"""Tell lithium from electrolyte by grey value and by the known order of the layers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatImage, FloatVolume, LabelVolume, MaskVolume
from lithoscope_pipeline.labels import NetworkClass
from lithoscope_pipeline.segment.references import GreyReferences

# 1 / p and 1 / p**2 of the plastic number p: a sequence that fills intervals evenly in 2-D.
_DITHER_STEPS = (0.7548776662466927, 0.5698402909980532)
_FLAT_PX = 3  # of lithium and of electrolyte, on either side of a face that counts as flat


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerParameters:
    """How a volume is denoised and tidied.

    Parameters
    ----------
    sigma_px
        Gaussian along (z, y, x) that makes single voxels readable: the noise of a filtered
        back-projection falls about sevenfold. Less in the plane, where it would melt dendrites
        of two voxels radius together, than across it, where it moves no flat face.
    across_sigma_px
        Gaussian along y, in all, before flat faces are placed to a fraction of a voxel. A face and
        its fringes are sharper than a pixel: what is seen of them depends on where in a pixel the
        face lies, which moves a place found from less by up to 0.2 voxel.
    face_sigma_px
        In-plane Gaussian on the outer faces, which are flat foils.
    core_sigma_px, min_core_share
        A detached piece of lithium is believed when, smoothed so far in all, it still holds this
        share of lithium somewhere; noise reached 0.5 in 5 million voxels.
    min_voxels
        Detached lithium and enclosed electrolyte in smaller pieces are noise.
    """

    sigma_px: tuple[float, float, float] = (0.6, 0.8, 0.6)
    across_sigma_px: float = 2.0
    face_sigma_px: float = 3.0
    core_sigma_px: float = 1.2
    min_core_share: float = 0.6
    min_voxels: int = 27


def segment_layers(
    volume: FloatVolume,
    references: GreyReferences,
    *,
    parameters: LayerParameters | None = None,
) -> LabelVolume:
    """Segment a volume into lithium, electrolyte and background.

    1. The outer faces, where lithium meets the pouch, are found in each column where the
       smoothed grey value passes the middle between both, and smoothed in the plane.
    2. Between them a voxel is lithium when its smoothed grey value lies on lithium's side of
       the middle between electrode and electrolyte.
    3. What is not lithium but enclosed by it or by the faces is an impurity, the halo of the
       pouch, or noise, and counts as lithium; small detached specks of lithium do not.
    4. Where lithium goes on unbroken from an outer face to a flat inner one, that face is placed
       by a wider look along y; it moves by a voxel at the most.

    Parameters
    ----------
    volume
        Region of interest, shape (z, y, x), finite; y rises from the stripping side.
    references
        Grey values and layers of the same volume.
    parameters
        Denoising and tidying.

    Returns
    -------
    LabelVolume
        `NetworkClass` of each voxel; void is not told apart.

    Raises
    ------
    ShapeError
        If the volume is not three-dimensional.
    ParameterError
        If electrode and electrolyte have the same grey value.

    Notes
    -----
    A flat face would round to the same voxel in all columns and err by up to half a voxel at
    once. Its fraction of a voxel is therefore given to a fraction of the columns by a fixed
    even pattern, so that counts of voxels keep it.
    """
    _check(volume, references)
    chosen = parameters or LayerParameters()
    smooth, greys = _smooth(volume, references, chosen.sigma_px)

    more_px = np.sqrt(max(chosen.across_sigma_px**2 - chosen.sigma_px[1] ** 2, 0))
    wide = ndimage.gaussian_filter(smooth, (0, more_px, 0), mode="nearest", truncate=3.0)
    faces = _outer_faces(wide, greys, references.edges_px, sigma_px=chosen.face_sigma_px)
    dither = _dither(volume.shape)
    inside = _between(faces, dither, volume.shape)
    lithium = inside & (smooth < greys.middle)
    rest = inside & ~lithium
    lithium |= rest & ~_true_electrolyte(
        rest, smooth, greys, references.edges_px, min_voxels=chosen.min_voxels
    )
    lithium &= ~_specks(lithium, greys.share(smooth), chosen)
    share = greys.share(wide)
    _settle(lithium, inside, share, dither)
    _settle(lithium[:, ::-1], inside[:, ::-1], share[:, ::-1], 1 - dither)

    classes = np.zeros(volume.shape, dtype=np.uint8)
    classes[inside] = NetworkClass.ELECTROLYTE
    classes[lithium] = NetworkClass.LITHIUM
    return classes


def lithium_share(
    volume: FloatVolume,
    references: GreyReferences,
    *,
    parameters: LayerParameters | None = None,
) -> FloatVolume:
    """Give the share of lithium in each voxel as its smoothed grey value tells it.

    Between electrode and electrolyte the share passes one half where the face lies, to a
    fraction of a voxel. Beyond the outer faces it means nothing.

    Parameters
    ----------
    volume, references, parameters
        As for `segment_layers`.

    Returns
    -------
    FloatVolume
        0 in electrolyte, 1 in lithium, shape (z, y, x).
    """
    _check(volume, references)
    smooth, greys = _smooth(volume, references, (parameters or LayerParameters()).sigma_px)
    return np.clip(greys.share(smooth), 0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Greys:
    """Grey values with denser above."""

    electrode: float
    electrolyte: float
    pouch: float

    @property
    def middle(self) -> float:
        return (self.electrode + self.electrolyte) / 2

    @property
    def outer_middle(self) -> float:
        return (self.electrode + self.pouch) / 2

    def share(self, smooth: FloatVolume) -> FloatVolume:
        """Scale grey values to 0 in electrolyte and 1 in lithium."""
        return (self.electrolyte - smooth) / np.float32(self.electrolyte - self.electrode)


def _check(volume: FloatVolume, references: GreyReferences) -> None:
    if volume.ndim != 3:
        msg = f"volume has shape {volume.shape}, (z, y, x) is needed"
        raise ShapeError(msg)
    if references.electrode == references.electrolyte:
        msg = "electrode and electrolyte have the same grey value; find the references again"
        raise ParameterError(msg)


def _smooth(
    volume: FloatVolume, references: GreyReferences, sigma_px: tuple[float, float, float]
) -> tuple[FloatVolume, _Greys]:
    """Denoise and turn grey values so that denser is above."""
    sign = 1.0 if references.polarity == "dense_bright" else -1.0
    smooth = ndimage.gaussian_filter(volume, sigma_px, mode="nearest", truncate=3.0)
    return smooth * np.float32(sign), _Greys(
        electrode=sign * references.electrode,
        electrolyte=sign * references.electrolyte,
        pouch=sign * references.pouch,
    )


def _outer_faces(
    smooth: FloatVolume,
    greys: _Greys,
    edges_px: tuple[float, float, float, float],
    *,
    sigma_px: float,
) -> tuple[FloatImage, FloatImage]:
    """Find where lithium ends and the pouch begins, (z, x), on both sides."""
    lower = round((edges_px[0] + edges_px[1]) / 2)
    upper = round((edges_px[2] + edges_px[3]) / 2)
    towards_stripping = smooth[:, lower::-1]
    towards_plating = smooth[:, upper:]
    stripping = lower - _first_crossing_px(towards_stripping, greys.outer_middle)
    plating = upper + _first_crossing_px(towards_plating, greys.outer_middle)
    return _flatten(stripping, sigma_px), _flatten(plating, sigma_px)


def _first_crossing_px(ray: FloatVolume, threshold: float) -> FloatImage:
    """Give where each ray along y first rises to a threshold, to a fraction of a voxel.

    A ray that never does ends half a voxel beyond its last row.
    """
    is_beyond = ray >= threshold
    row = is_beyond.argmax(axis=1)
    here = np.take_along_axis(ray, row[:, None], axis=1)[:, 0]
    before = np.take_along_axis(ray, np.maximum(row - 1, 0)[:, None], axis=1)[:, 0]
    rise = here - before
    share = np.divide(threshold - before, rise, out=np.ones_like(rise), where=rise > 0)
    crossing = np.where(row > 0, row - 1 + share, 0)
    return np.where(is_beyond.any(axis=1), crossing, ray.shape[1] - 0.5).astype(np.float32)


def _flatten(face_px: FloatImage, sigma_px: float) -> FloatImage:
    """Smooth a face that is flat in truth, deaf to columns where an impurity hides it."""
    robust = ndimage.median_filter(face_px, size=round(2 * sigma_px) | 1, mode="nearest")
    return np.asarray(ndimage.gaussian_filter(robust, sigma_px, mode="nearest"))


def _dither(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Give each column (z, x) a number from 0 to 1, evenly."""
    z, x = np.indices((shape[0], shape[2]))
    steps: NDArray[np.float64] = (z * _DITHER_STEPS[0] + x * _DITHER_STEPS[1]) % 1
    return steps


def _between(
    faces: tuple[FloatImage, FloatImage], dither: NDArray[np.float64], shape: tuple[int, ...]
) -> MaskVolume:
    """Mark the voxels between two faces; the mean count along y is the mean distance."""
    first = np.floor(faces[0] + 0.5 + dither)
    last = np.floor(faces[1] - 0.5 + dither)
    rows = np.arange(shape[1])[None, :, None]
    return (rows >= first[:, None, :]) & (rows <= last[:, None, :])


def _settle(
    lithium: MaskVolume, inside: MaskVolume, share: FloatVolume, dither: NDArray[np.float64]
) -> None:
    """Place the inner face of the side at low y, in columns where it is flat, by the wide share.

    The mean count of its voxels along y is then the mean place of the face.
    """
    n_y = lithium.shape[1]
    rows = np.arange(n_y)[None, :, None]
    first = inside.argmax(axis=1)
    past = ~lithium & (rows >= first[:, None, :])
    end = np.where(past.any(axis=1), past.argmax(axis=1), n_y)

    def at(values: NDArray[Any], row: NDArray[np.intp]) -> NDArray[Any]:
        index = np.clip(row, 0, n_y - 1)[:, None]
        return np.take_along_axis(values, index, axis=1)[:, 0]

    is_flat = (end >= first + _FLAT_PX) & (end <= n_y - _FLAT_PX)
    for step in range(_FLAT_PX):
        is_flat &= at(lithium, end - 1 - step)
        is_flat &= at(inside, end + step) & ~at(lithium, end + step)
    settled = end.copy()
    is_open = is_flat.copy()
    for row in (end - 1, end - 2, end):
        here, there = at(share, row), at(share, row + 1)
        passes = is_open & (here >= 0.5) & (there < 0.5)
        part = np.divide(here - 0.5, here - there, out=np.zeros_like(here), where=passes)
        settled = np.where(passes, np.floor(row + part + 0.5 + dither), settled)
        is_open &= ~passes
    settled = np.clip(settled, end - 1, end + 1).astype(np.intp)
    z, x = np.nonzero(settled > end)
    lithium[z, end[z, x], x] = True
    z, x = np.nonzero(settled < end)
    lithium[z, settled[z, x], x] = False


def _true_electrolyte(
    rest: MaskVolume,
    smooth: FloatVolume,
    greys: _Greys,
    edges_px: tuple[float, float, float, float],
    *,
    min_voxels: int,
) -> MaskVolume:
    """Mark the main body of electrolyte and those pockets that are no artefacts.

    A pocket is an artefact when it is small, brighter than electrolyte, or in the outer half of
    an electrode, where impurities sit and the pouch shines in.
    """
    numbers, n_pockets = ndimage.label(rest)
    if n_pockets <= 1:
        return rest
    index = np.arange(n_pockets + 1)
    sizes = np.bincount(numbers.ravel(), minlength=n_pockets + 1)
    grey = ndimage.mean(smooth, numbers, index)
    rows = np.broadcast_to(np.arange(rest.shape[1])[None, :, None], rest.shape)
    row = ndimage.mean(rows, numbers, index)

    lower, upper = (edges_px[0] + edges_px[1]) / 2, (edges_px[2] + edges_px[3]) / 2
    is_true = (sizes >= min_voxels) & (row > lower) & (row < upper)
    is_true &= grey < greys.electrolyte + (greys.electrolyte - greys.middle)
    sizes[0] = 0
    is_true[np.argmax(sizes)] = True
    is_true[0] = False
    return np.asarray(is_true[numbers])


def _specks(lithium: MaskVolume, share: FloatVolume, parameters: LayerParameters) -> MaskVolume:
    """Mark 26-connected pieces that are too small or too faint to be believed."""
    numbers, n_pieces = ndimage.label(lithium, ndimage.generate_binary_structure(3, 3))
    sizes = np.bincount(numbers.ravel(), minlength=n_pieces + 1)
    more_px = [np.sqrt(max(parameters.core_sigma_px**2 - s**2, 0)) for s in parameters.sigma_px]
    cores = ndimage.gaussian_filter(share, more_px, mode="nearest", truncate=3.0)
    strongest = ndimage.maximum(cores, numbers, np.arange(n_pieces + 1))
    is_speck = (sizes < parameters.min_voxels) | (strongest < parameters.min_core_share)
    is_speck[0] = False
    return np.asarray(is_speck[numbers])

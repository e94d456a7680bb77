"""A coarse volume of the running scan that each projection refines as it comes.

It is the sum of what each projection adds, and so an old projection can be taken off and a new
one put in its place: a scan begins with the volume of the scan before and ends as its own.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from lithoscope_messages import GreySlice, ReconstructionPreview
from lithoscope_pipeline.correct import Correction, CountStack, FlatSet, FrameCorrector
from lithoscope_pipeline.geometry import Angles, FloatImage, FloatStack, FloatVolume
from lithoscope_pipeline.reconstruct import FourierAccumulator, FourierPlan

AxisSource = Literal["given", "scan_before", "found", "detector_centre"]
#: Longest sides of the coarse volume: fine enough for the layers of a cell on a screen.
MAX_COLUMNS: Final = 160
MAX_ROWS: Final = 96
VIEWS_AT_ONCE: Final = 32
#: Views of two scans by the same number are taken to see the same below this.
_SAME_ANGLE_RAD: Final = np.deg2rad(0.05)
_SHOWN_PERCENTILES: Final = (1.0, 99.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewAxis:
    """Where the axis is taken to be, column of the detector, and why there."""

    position_px: float
    source: AxisSource


class Preview:
    """The coarse volume of a scan.

    Parameters
    ----------
    n_views
        Projections announced.
    frame_shape
        Rows and columns of the detector.
    voxel_um
        Detector pixel.
    axis
        To begin with.
    """

    def __init__(
        self, n_views: int, frame_shape: tuple[int, int], voxel_um: float, axis: PreviewAxis
    ) -> None:
        n_rows, n_columns = frame_shape
        self.binning = max(-(-n_columns // MAX_COLUMNS), -(-n_rows // MAX_ROWS))
        self._row_binning = min(self.binning, n_rows)
        rows, columns = n_rows // self._row_binning, n_columns // self.binning
        self.n_views, self.frame_shape, self.axis = n_views, frame_shape, axis
        self._voxel_um = voxel_um
        self._views: FloatStack = np.zeros((n_views, rows, columns), np.float32)
        self._thetas_rad = np.zeros(n_views)
        self._is_there = np.zeros(n_views, np.bool_)
        self._is_new = np.zeros(n_views, np.bool_)
        self._is_summed = np.zeros(n_views, np.bool_)
        self._volume: FloatVolume = np.zeros((rows, columns, columns), np.float32)
        self._corrector: FrameCorrector | None = None

    @property
    def n_new(self) -> int:
        """Projections of the running scan in it."""
        return int(self._is_new.sum())

    @property
    def is_new(self) -> NDArray[np.bool_]:
        """Which projections of the running scan are in it, by number."""
        return self._is_new

    @property
    def has_beam(self) -> bool:
        """Whether its flats are known."""
        return self._corrector is not None

    @property
    def is_settled(self) -> bool:
        """Whether all that is there is in the volume."""
        return bool(np.array_equal(self._is_summed, self._is_there))

    def begin_scan(self) -> None:
        """Let what is there stand for what is to come of the next scan."""
        self._is_new[:] = False
        self._corrector = None

    def set_beam(self, flats: CountStack, darks: CountStack, correction: Correction) -> None:
        """Take flats and darks of the whole detector."""
        self._corrector = FrameCorrector.make(
            (FlatSet(frames=self._binned(flats)),), self._binned(darks), correction
        )

    def set_axis(self, axis: PreviewAxis) -> None:
        """Move the axis; the volume is summed anew."""
        if axis.position_px != self.axis.position_px:
            self._is_summed[:] = False
            self._volume[:] = 0.0
        self.axis = axis

    def put(self, indices: NDArray[np.int64], thetas_rad: Angles, counts: CountStack) -> None:
        """Put in projections of the running scan, at most `VIEWS_AT_ONCE`.

        Parameters
        ----------
        indices, thetas_rad
            Their numbers and angles.
        counts
            Of the whole detector, shape (n, n_rows, n_columns).
        """
        if self._corrector is None:
            raise ValueError("the preview has no flats yet; call set_beam first")
        views = self._corrector.finish(self._corrector.attenuation(self._binned(counts)))
        old = self._is_summed[indices]
        if np.abs(thetas_rad - self._thetas_rad[indices])[old].max(initial=0.0) > _SAME_ANGLE_RAD:
            self._forget_old()
            old = self._is_summed[indices]
        difference = views.copy()
        difference[old] -= self._views[indices[old]]
        self._views[indices], self._thetas_rad[indices] = views, thetas_rad
        self._is_there[indices] = self._is_new[indices] = True
        self._sum(indices, difference)

    def settle(self) -> None:
        """Sum some of what is there and not in the volume since the axis moved."""
        indices = np.flatnonzero(self._is_there & ~self._is_summed)[:VIEWS_AT_ONCE]
        if indices.size:
            self._sum(indices, self._views[indices])

    def new_views(self) -> tuple[FloatStack, Angles]:
        """Give the binned line integrals of the running scan and their angles."""
        return self._views[self._is_new], self._thetas_rad[self._is_new]

    def binned_axis_px(self, position_px: float) -> float:
        """Give a column of the detector in binned columns."""
        return (position_px - 0.5 * (self.binning - 1)) / self.binning

    def full_axis_px(self, binned_px: float) -> float:
        """Give a binned column in columns of the detector."""
        return binned_px * self.binning + 0.5 * (self.binning - 1)

    def message(self, experiment: str, scan: int, time_ns: int) -> ReconstructionPreview:
        """Show three slices through the middle, all with one grey scale."""
        n_summed = int(self._is_summed.sum())
        volume = self._volume * np.float32(self.n_views / max(n_summed, 1))
        z, y, x = (n // 2 for n in volume.shape)
        slices = (volume[z], volume[:, y], volume[:, :, x])
        low, high = np.percentile(np.concatenate([s.ravel() for s in slices]), _SHOWN_PERCENTILES)
        high = max(float(high), float(low) + 1e-6)
        shown = [_grey(s, float(low), high) for s in slices]
        return ReconstructionPreview(
            experiment=experiment,
            scan=scan,
            time_ns=time_ns,
            views_used=self.n_new,
            views_expected=self.n_views,
            views_filled=int(np.count_nonzero(self._is_summed & ~self._is_new)),
            binning=self.binning,
            voxel_um=self._voxel_um * self.binning,
            axis_px=self.axis.position_px,
            axis_source=self.axis.source,
            low_per_cm=float(low),
            high_per_cm=high,
            z_slice=shown[0],
            y_slice=shown[1],
            x_slice=shown[2],
        )

    def _sum(self, indices: NDArray[np.int64], views: FloatStack) -> None:
        plan = FourierPlan.make(
            self._thetas_rad[indices],
            n_columns=views.shape[2],
            rotation_axis_px=self.binned_axis_px(self.axis.position_px),
            voxel_um=self._voxel_um * self.binning,
            # Each view counts alike, for nobody knows yet which others there will be.
            weights_rad=np.full(indices.size, np.pi / self.n_views),
        )
        sums = FourierAccumulator(plan, n_rows=views.shape[1])
        sums.add(0, views)
        self._volume += sums.volume()
        self._is_summed[indices] = True

    def _forget_old(self) -> None:
        """Leave out the scan before, whose angles were others."""
        self._is_there &= self._is_new
        self._is_summed[:] = False
        self._volume[:] = 0.0

    def _binned(self, counts: CountStack) -> FloatStack:
        n, (rows, columns) = len(counts), self._views.shape[1:]
        high, wide = self._row_binning, self.binning
        whole = counts[:, : rows * high, : columns * wide]
        summed = whole.reshape(n, rows, high, columns * wide).sum(axis=2, dtype=np.float32)
        summed = summed.reshape(n, rows, columns, wide).sum(axis=3)
        return np.asarray(summed / np.float32(high * wide), np.float32)


def _grey(image: FloatImage, low: float, high: float) -> GreySlice:
    grey = np.clip((image - low) * (255.0 / (high - low)), 0.0, 255.0).astype(np.uint8)
    return GreySlice.of(grey.tobytes(), (image.shape[0], image.shape[1]))

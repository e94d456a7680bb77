"""The simulated cell: everything about it from one seed, and the truth beside it."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.geometry import UM_PER_CM, FloatStack, LabelVolume, Roi, field_axis_px
from lithoscope_pipeline.phantom.acquisition import (
    angles_deg,
    axis_change_px,
    tile_first_row,
    tilt_margin_rows,
    tilted,
)
from lithoscope_pipeline.phantom.cell_truth import CellTruth
from lithoscope_pipeline.phantom.drift import RigidDrift, draw_drift, motion_px
from lithoscope_pipeline.phantom.families import FAMILIES, FamilyName
from lithoscope_pipeline.phantom.frames import ScanFrames, make_frames
from lithoscope_pipeline.phantom.growth import CellGrowth, CellState, LayerPlanes
from lithoscope_pipeline.phantom.line_integrals import Body, project_body
from lithoscope_pipeline.phantom.parameters import (
    SIZES,
    CellParameters,
    DetectorParameters,
    SizeName,
)
from lithoscope_pipeline.phantom.propagation import Propagation
from lithoscope_pipeline.phantom.region import (
    balance_domain,
    cell_half_width_um,
    electrode_roi,
)
from lithoscope_pipeline.phantom.schedule import (
    Electrochemistry,
    ScanPoint,
    make_schedule,
    record_electrochemistry,
)
from lithoscope_pipeline.phantom.structure import close_gap, flat_parts
from lithoscope_pipeline.phantom.texture import seeded
from lithoscope_pipeline.phantom.texture_slices import texture_slices
from lithoscope_pipeline.phantom.truth import metric_unit
from lithoscope_pipeline.phantom.view import View

_DRIFT_STREAM: Final = 51
_AXIS_STREAM: Final = 52
_GREY_STREAM: Final = 54
_MOTION_STREAM: Final = 55


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedCell:
    """A cell that is cycled and scanned, with its frames and its truth.

    Volumes are in the frame of scan 0, in which the cell is pristine: voxel (z, y, x) lies
    ``z - (n_rows - 1) / 2`` voxels above the middle of the detector and
    ``y - (n_columns - 1) / 2``, ``x - (n_columns - 1) / 2`` from the rotation axis.

    Parameters
    ----------
    cell
        What the cell is.
    detector
        What looks at it.
    schedule
        The scans.
    growth
        How it changes.
    family
        Which of `FAMILIES` its parameters were turned into.
    """

    cell: CellParameters
    detector: DetectorParameters
    schedule: tuple[ScanPoint, ...]
    growth: CellGrowth
    family: FamilyName = "default"

    @property
    def voxel_um(self) -> float:
        """Edge of a voxel."""
        return self.detector.voxel_um

    @property
    def rotation_axis_px(self) -> float:
        """Detector column of the rotation axis in the first tile, the same in all scans."""
        offset = seeded(self.cell.seed, _AXIS_STREAM).uniform(-1.0, 1.0)
        return field_axis_px(self.detector.n_columns) + self.detector.axis_offset_px * offset

    def tile_axis_px(self, tile: int) -> float:
        """Return the detector column of the rotation axis in a tile, in its middle row."""
        return self.rotation_axis_px + axis_change_px(self.detector, self.cell.seed, tile)

    @property
    def thetas_deg(self) -> NDArray[np.floating]:
        """Angle of each projection of scan 0, in the order of acquisition, shape (n_angles,)."""
        return self.scan_thetas_deg(0)

    def scan_thetas_deg(self, scan: int) -> NDArray[np.floating]:
        """Return the angle of each projection of a scan, in the order of acquisition."""
        return angles_deg(self.detector.acquisition, self.detector.n_angles, scan=scan)

    @property
    def roi(self) -> Roi:
        """The largest box that holds both electrodes, whole and at every time, in the view."""
        return electrode_roi(self.cell, self.detector)

    def state(self, scan: int) -> CellState:
        """Return the averages of the cell at a scan."""
        return self.growth.state(self._point(scan).pulse)

    def planes(self, scan: int) -> LayerPlanes:
        """Return the mean planes of the layers at a scan, micrometres from the rotation axis."""
        return self.growth.planes(self.state(scan))

    def drift(self, scan: int) -> RigidDrift:
        """Return where a scan finds the cell; scan 0 finds it in place."""
        self._point(scan)
        if scan == 0:
            return RigidDrift()
        return draw_drift(
            seeded(self.cell.seed, _DRIFT_STREAM, scan),
            shift_px=self.cell.drift_shift_px,
            rotation_deg=self.cell.drift_rotation_deg,
        )

    def grey_factor(self, scan: int) -> float:
        """Return the factor of all attenuation in a scan, 1 in scan 0."""
        self._point(scan)
        if scan == 0:
            return 1.0
        change = seeded(self.cell.seed, _GREY_STREAM, scan).uniform(-1.0, 1.0)
        return 1.0 + self.cell.optics.grey_drift * float(change)

    def electrochemistry(self, from_scan: int, to_scan: int) -> Electrochemistry:
        """Return what the cycler recorded from the start of one scan to that of another."""
        return record_electrochemistry(
            self.cell,
            start_s=self._point(from_scan).time_s,
            stop_s=self._point(to_scan).time_s,
        )

    def line_integrals(
        self, scan: int, *, first_row: int = 0, n_rows: int, tile: int = 0, n_threads: int = 2
    ) -> FloatStack:
        """Project some rows without noise.

        Parameters
        ----------
        scan
            Number of the scan.
        first_row, n_rows
            Rows of the volume to project.
        tile
            Whose rotation axis to take.
        n_threads
            Rows that are worked on at the same time; the bytes do not depend on it.

        Returns
        -------
        FloatStack
            Effective attenuation, dimensionless, shape (n_angles, n_rows, n_columns): minus the
            logarithm of the intensity at the detector, phase contrast included.
        """
        cell, detector = self.cell, self.detector
        state = self.state(scan)
        planes = self.growth.planes(state)
        view = self._view(scan, tile)
        half_width_um = cell_half_width_um(cell, detector)

        def slices(heights_px: NDArray[np.floating]) -> NDArray[np.complex64]:
            texture = texture_slices(
                self.growth,
                state,
                view,
                heights_px,
                voxel_um=detector.voxel_um,
                half_width_um=half_width_um,
            )
            close_gap(texture, cell, planes, detector.voxel_um)
            return texture

        out = project_body(
            Body(corners=flat_parts(cell, planes, detector), slices=slices),
            view,
            first_row + np.arange(n_rows) - field_axis_px(detector.n_volume_rows),
            Propagation(
                energy_keV=cell.optics.energy_keV,
                distance_mm=cell.optics.distance_mm,
                pixel_um=detector.voxel_um,
            ),
            n_threads=n_threads,
        )
        out *= np.float32(detector.voxel_um / UM_PER_CM * self.grey_factor(scan))
        return out

    def frames(self, scan: int, *, tile: int = 0) -> ScanFrames:
        """Return the frames of a tile of a scan; the same bytes however often asked for."""
        detector, margin = self.detector, tilt_margin_rows(self.detector)
        attenuation = self.line_integrals(
            scan,
            first_row=tile_first_row(detector, tile) - margin,
            n_rows=detector.n_rows + 2 * margin,
            tile=tile,
        )
        return make_frames(
            detector,
            tilted(attenuation, detector, self.tile_axis_px(tile)),
            self.scan_thetas_deg(scan),
            seed=self.cell.seed,
            scan=scan,
            tile=tile,
            has_noise=self.cell.has_noise,
        )

    def labels(self, scan: int, roi: Roi) -> LabelVolume:
        """Return the true labels of a box in cell coordinates, shape (n_z, n_y, n_x)."""
        return self._truth.labels(self._point(scan), roi)

    def truth_metrics(self, scan: int, roi: Roi) -> dict[str, float]:
        """Return the true metrics of the columns of a box; its y range does not matter.

        Left out is what cannot be said, such as a ratio to a charge that has not flowed.

        Parameters
        ----------
        scan
            Number of the scan.
        roi
            A box in the frame of scan 0.

        Returns
        -------
        dict
            Values by the names that reports use.
        """
        return self._truth.metrics((self._point(scan),), roi)[0]

    def truth(self, roi: Roi) -> dict[str, Any]:  # Any: JSON
        """Return the truth of all scans in the shape of a report, ready for JSON."""
        growth, control = self.cell.growth, self.control_region
        return {
            "seed": self.cell.seed,
            "voxel_um": self.voxel_um,
            "rotation_axis_px": self.rotation_axis_px,
            "roi": asdict(roi),
            "bridge": {"kind": growth.bridge, "pulse": growth.bridge_pulse},
            "control_region": asdict(control) if control else None,
            "scans": [
                {
                    "scan": point.scan,
                    "time_s": point.time_s,
                    "charge_mAh": point.charge_mAh,
                    "cycle": point.cycle,
                    "half_cycle": point.half_cycle,
                    "metrics": {
                        name: {"value": value, "unit": metric_unit(name)}
                        for name, value in metrics.items()
                    },
                    "porosity": self._truth.porosity(point),
                    "drift": {
                        name: list(values)
                        for name, values in asdict(self.drift(point.scan)).items()
                    },
                }
                for point, metrics in zip(
                    self.schedule, self._truth.metrics(self.schedule, roi), strict=True
                )
            ],
        }

    def dendrite_widths_um(
        self, scan: int, roi: Roi
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Return the widths of all pieces of dendrites in a box, and their volumes in um3."""
        return self._truth.dendrite_widths(self._point(scan), roi)

    @property
    def control_region(self) -> Roi | None:
        """A box beside the view that the beam never meets: lithium grows there, without dose."""
        return self._truth.control_region

    @property
    def _truth(self) -> CellTruth:
        return CellTruth(
            cell=self.cell, detector=self.detector, schedule=self.schedule, growth=self.growth
        )

    def _view(self, scan: int, tile: int) -> View:
        """Return how a tile of a scan looks at the cell."""
        detector = self.detector
        return View(
            n_columns=detector.n_columns,
            rotation_axis_px=self.tile_axis_px(tile),
            thetas_rad=np.radians(self.scan_thetas_deg(scan)),
            exposure_rad=detector.exposure_share * np.pi / detector.n_angles,
            drift=self.drift(scan),
            motion_px=motion_px(
                seeded(self.cell.seed, _MOTION_STREAM, scan),
                detector.n_angles,
                largest_px=self.cell.optics.motion_px,
            ),
        )

    def _point(self, scan: int) -> ScanPoint:
        if not 0 <= scan < len(self.schedule):
            msg = f"scan {scan} was asked for, the cell has 0 to {len(self.schedule) - 1}"
            raise ParameterError(msg)
        return self.schedule[scan]


def make_cell(
    size: SizeName = "tiny",
    *,
    seed: int = 0,
    n_scans: int = 25,
    cell: CellParameters | None = None,
    detector: DetectorParameters | None = None,
    family: FamilyName = "default",
) -> SimulatedCell:
    """Make a simulated cell.

    Parameters
    ----------
    size
        Which detector of `SIZES` looks at it.
    seed
        Makes every random choice; it replaces the one of ``cell``.
    n_scans
        Scans, spread over the whole cycle.
    cell, detector
        What differs from the reference experiment and from the detector of that size.
    family
        Which of `FAMILIES` cell and detector are then turned into.

    Returns
    -------
    SimulatedCell
        The cell; equal arguments give equal bytes.

    Raises
    ------
    ParameterError
        If ``size``, ``family``, ``seed`` or ``n_scans`` cannot be used.

    Examples
    --------
    >>> simulated = make_cell("tiny", seed=5, n_scans=3)
    >>> [point.pulse for point in simulated.schedule]
    [0, 12, 24]
    """
    if size not in SIZES:
        raise ParameterError(f"size is {size!r}; one of {', '.join(SIZES)} is needed")
    if family not in FAMILIES:
        raise ParameterError(f"family is {family!r}; one of {', '.join(FAMILIES)} is needed")
    parameters = replace(cell, seed=seed) if cell else CellParameters(seed=seed)
    parameters, looking = FAMILIES[family].turn(parameters, detector or SIZES[size])
    return SimulatedCell(
        cell=parameters,
        detector=looking,
        schedule=make_schedule(parameters, n_scans),
        growth=CellGrowth.make(parameters, balance_domain(parameters, looking)),
        family=family,
    )

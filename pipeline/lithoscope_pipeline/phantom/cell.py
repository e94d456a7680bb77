"""The simulated cell: everything about it from one seed, and the truth beside it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.geometry import UM_PER_CM, FloatStack, LabelVolume, Roi, field_axis_px
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.phantom.drift import RigidDrift, draw_drift
from lithoscope_pipeline.phantom.frames import ScanFrames, open_beam
from lithoscope_pipeline.phantom.growth import CellGrowth, CellState, LayerPlanes
from lithoscope_pipeline.phantom.parameters import (
    SIZES,
    CellParameters,
    DetectorParameters,
    SizeName,
)
from lithoscope_pipeline.phantom.projector import View, project_layers, project_slices
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
from lithoscope_pipeline.phantom.texture import Sampling, seeded
from lithoscope_pipeline.phantom.texture_slices import texture_slices
from lithoscope_pipeline.phantom.truth import (
    TruthMaps,
    charge_metrics,
    layer_metrics,
    metric_unit,
    voxel_labels,
)
from lithoscope_pipeline.surface import plated_surface

_DRIFT_STREAM: Final = 51
_AXIS_STREAM: Final = 52
_DENDRITE_WINDOW_UM: Final = 50.0
_ROWS_AT_ONCE: Final = 32  # 0.5 GB of slices at 1024 columns


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
    """

    cell: CellParameters
    detector: DetectorParameters
    schedule: tuple[ScanPoint, ...]
    growth: CellGrowth

    @property
    def voxel_um(self) -> float:
        """Edge of a voxel."""
        return self.detector.voxel_um

    @property
    def rotation_axis_px(self) -> float:
        """Detector column of the rotation axis, the same in all scans."""
        offset = seeded(self.cell.seed, _AXIS_STREAM).uniform(-1.0, 1.0)
        return field_axis_px(self.detector.n_columns) + self.detector.axis_offset_px * offset

    @property
    def thetas_deg(self) -> NDArray[np.floating]:
        """Angle of each projection, shape (n_angles,)."""
        return np.arange(self.detector.n_angles) * (180.0 / self.detector.n_angles)

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

    def electrochemistry(self, from_scan: int, to_scan: int) -> Electrochemistry:
        """Return what the cycler recorded from the start of one scan to that of another."""
        return record_electrochemistry(
            self.cell,
            start_s=self._point(from_scan).time_s,
            stop_s=self._point(to_scan).time_s,
        )

    def line_integrals(self, scan: int, *, first_row: int = 0, n_rows: int) -> FloatStack:
        """Project some detector rows without noise.

        Parameters
        ----------
        scan
            Number of the scan.
        first_row, n_rows
            Rows to project.

        Returns
        -------
        FloatStack
            Attenuation, dimensionless, shape (n_angles, n_rows, n_columns).
        """
        cell, detector = self.cell, self.detector
        state = self.state(scan)
        planes = self.growth.planes(state)
        view = View(
            n_columns=detector.n_columns,
            rotation_axis_px=self.rotation_axis_px,
            thetas_rad=np.radians(self.thetas_deg),
            exposure_rad=detector.exposure_share * np.pi / detector.n_angles,
            drift=self.drift(scan),
        )
        planes_px, steps = _layers(cell, planes, detector.voxel_um)
        half_width_um = cell_half_width_um(cell, detector)
        heights_px = first_row + np.arange(n_rows) - field_axis_px(detector.n_rows)
        voxel_cm = np.float32(detector.voxel_um / UM_PER_CM)
        out = project_layers(planes_px, steps, half_width_um / detector.voxel_um, view, heights_px)
        for start in range(0, n_rows, _ROWS_AT_ONCE):
            rows = slice(start, min(start + _ROWS_AT_ONCE, n_rows))
            slices = texture_slices(
                self.growth,
                state,
                view,
                heights_px[rows],
                voxel_um=detector.voxel_um,
                half_width_um=half_width_um,
            )
            out[:, rows] += project_slices(slices, view, heights_px[rows])
        out *= voxel_cm
        return out

    def frames(self, scan: int) -> ScanFrames:
        """Return the frames of a scan; the same bytes however often they are asked for."""
        return ScanFrames(
            scan=scan,
            seed=self.cell.seed,
            has_noise=self.cell.has_noise,
            detector=self.detector,
            beam=open_beam(self.detector, self.cell.seed),
            thetas_deg=self.thetas_deg,
            attenuation=self.line_integrals(scan, n_rows=self.detector.n_rows),
        )

    def labels(self, scan: int, roi: Roi) -> LabelVolume:
        """Return the true labels of a box in cell coordinates, shape (n_z, n_y, n_x)."""
        middle = field_axis_px(self.detector.n_columns)
        y_um = (np.arange(roi.y0, roi.y1) - middle) * self.voxel_um
        x_um = (np.arange(roi.x0, roi.x1) - middle) * self.voxel_um
        out = voxel_labels(self._maps(scan, roi), y_um)
        is_outside = np.abs(x_um) >= cell_half_width_um(self.cell, self.detector)
        out[:, :, is_outside] = Label.BACKGROUND
        return out

    def truth_metrics(self, scan: int, roi: Roi) -> dict[str, float]:
        """Return the true metrics of the columns of a box; its y range does not matter.

        Left out is what cannot be said, such as a ratio to a charge that has not flowed, and
        what this cell does not have: pits and voids.

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
        point = self._point(scan)
        needed = {scan, 0, self._half_cycle_start(point).scan}
        moments = {other: layer_metrics(self._maps(other, roi)) for other in needed}
        return self._compare(point, moments, roi)

    def truth(self, roi: Roi) -> dict[str, Any]:  # Any: JSON
        """Return the truth of all scans in the shape of a report, ready for JSON."""
        moments = {p.scan: layer_metrics(self._maps(p.scan, roi)) for p in self.schedule}
        return {
            "seed": self.cell.seed,
            "voxel_um": self.voxel_um,
            "rotation_axis_px": self.rotation_axis_px,
            "roi": asdict(roi),
            "scans": [
                {
                    "scan": point.scan,
                    "time_s": point.time_s,
                    "charge_mAh": point.charge_mAh,
                    "cycle": point.cycle,
                    "half_cycle": point.half_cycle,
                    "metrics": {
                        name: {"value": value, "unit": metric_unit(name)}
                        for name, value in self._compare(point, moments, roi).items()
                    },
                    "drift": {
                        name: list(values)
                        for name, values in asdict(self.drift(point.scan)).items()
                    },
                }
                for point in self.schedule
            ],
        }

    def _compare(
        self, point: ScanPoint, moments: Mapping[int, dict[str, float]], roi: Roi
    ) -> dict[str, float]:
        """Complete the metrics of a scan by what compares it with earlier ones."""
        start = self._half_cycle_start(point)
        now, first = dict(moments[point.scan]), moments[0]
        tip_um = now.pop("tip_height_um")
        now["penetration_fraction"] = tip_um / first["electrolyte_thickness_um"]
        now["li_conservation_residual_um3"] = (
            now["li_total_volume_um3"] - first["li_total_volume_um3"]
        )
        if abs(point.charge_mAh_cm2) <= self.cell.pulse_charge_mAh_cm2 / 2:
            now["dead_lithium_remaining_volume_um3"] = (
                now["deposited_volume_um3"] + now["dendrite_volume_um3"]
            )
        n_columns = (roi.z1 - roi.z0) * (roi.x1 - roi.x0)
        return now | charge_metrics(
            now,
            moments[start.scan],
            is_plating=point.half_cycle % 2 == 0,
            passed_mAh_cm2=point.throughput_mAh_cm2 - start.throughput_mAh_cm2,
            area_cm2=n_columns * (self.voxel_um / UM_PER_CM) ** 2,
            active_area_cm2=self.cell.active_area_cm2,
        )

    def _point(self, scan: int) -> ScanPoint:
        if not 0 <= scan < len(self.schedule):
            msg = f"scan {scan} was asked for, the cell has 0 to {len(self.schedule) - 1}"
            raise ParameterError(msg)
        return self.schedule[scan]

    def _half_cycle_start(self, point: ScanPoint) -> ScanPoint:
        """Return the last scan of the previous half-cycle, or scan 0."""
        before = [p for p in self.schedule if p.half_cycle < point.half_cycle]
        return before[-1] if before else self.schedule[0]

    def _maps(self, scan: int, roi: Roi) -> TruthMaps:
        """Sample the columns of a box, with thresholds that do not depend on the box."""
        detector = self.detector
        if not (
            0 <= roi.z0 < roi.z1 <= detector.n_rows and 0 <= roi.x0 < roi.x1 <= detector.n_columns
        ):
            msg = f"{roi} does not lie in the view of {detector.n_rows} x {detector.n_columns}"
            raise ParameterError(msg)
        # Rows beyond the view complete the windows of the threshold.
        margin = int(np.ceil(_DENDRITE_WINDOW_UM / detector.voxel_um))
        z_px = np.arange(-margin, detector.n_rows + margin) - field_axis_px(detector.n_rows)
        x_px = np.arange(detector.n_columns) - field_axis_px(detector.n_columns)
        view = Sampling(z_um=z_px * self.voxel_um, x_um=x_px * self.voxel_um)
        state = self.state(scan)
        surfaces = self.growth.surfaces(state, view, view)
        plated = plated_surface(
            surfaces.top_um.astype(np.float32), self.voxel_um, _DENDRITE_WINDOW_UM
        )
        box = slice(roi.z0 + margin, roi.z1 + margin), slice(roi.x0, roi.x1)
        return TruthMaps(
            surfaces=surfaces.cropped(box),
            planes=self.growth.planes(state),
            mode_um=plated.mode_um[box].astype(np.float64),
            threshold_um=plated.threshold_um[box].astype(np.float64),
            voxel_um=self.voxel_um,
        )


def make_cell(
    size: SizeName = "tiny",
    *,
    seed: int = 0,
    n_scans: int = 25,
    cell: CellParameters | None = None,
    detector: DetectorParameters | None = None,
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

    Returns
    -------
    SimulatedCell
        The cell; equal arguments give equal bytes.

    Raises
    ------
    ParameterError
        If ``size``, ``seed`` or ``n_scans`` cannot be used.

    Examples
    --------
    >>> simulated = make_cell("tiny", seed=5, n_scans=3)
    >>> [point.pulse for point in simulated.schedule]
    [0, 12, 24]
    """
    if size not in SIZES:
        raise ParameterError(f"size is {size!r}; one of {', '.join(SIZES)} is needed")
    parameters = replace(cell, seed=seed) if cell else CellParameters(seed=seed)
    looking = detector or SIZES[size]
    return SimulatedCell(
        cell=parameters,
        detector=looking,
        schedule=make_schedule(parameters, n_scans),
        growth=CellGrowth.make(parameters, balance_domain(parameters, looking)),
    )


def _layers(
    cell: CellParameters, planes: LayerPlanes, voxel_um: float
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the planes in voxels and what the attenuation rises by at each."""
    inside = [
        cell.pouch_per_cm,
        cell.lithium_per_cm,
        cell.electrolyte_per_cm,
        cell.lithium_per_cm,
        cell.pouch_per_cm,
    ]
    places_um = [
        planes.pouch_low_um,
        planes.outer_low_um,
        planes.stripping_surface_um,
        planes.plated_surface_um,
        planes.outer_high_um,
        planes.pouch_high_um,
    ]
    return np.array(places_um) / voxel_um, np.diff([0.0, *inside, 0.0])

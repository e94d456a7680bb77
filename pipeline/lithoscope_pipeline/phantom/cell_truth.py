"""The truth about a whole experiment: labels and metrics of each scan, compared over scans."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.geometry import UM_PER_CM, LabelVolume, Roi, field_axis_px
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.phantom.growth import CellGrowth
from lithoscope_pipeline.phantom.parameters import CellParameters, DetectorParameters
from lithoscope_pipeline.phantom.region import cell_half_width_um
from lithoscope_pipeline.phantom.schedule import ScanPoint
from lithoscope_pipeline.phantom.texture import Map, Sampling
from lithoscope_pipeline.phantom.truth import (
    TruthMaps,
    charge_metrics,
    layer_metrics,
    voxel_labels,
)
from lithoscope_pipeline.phantom.truth_pits import PlaneMaps, pit_metrics
from lithoscope_pipeline.surface import plated_surface

_DENDRITE_WINDOW_UM: Final = 50.0
_CONTROL_GAP_UM: Final = 100.0  # stray light of the beam does not reach farther


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanTruth:
    """What one scan has to say by itself."""

    metrics: dict[str, float]
    planes: PlaneMaps


@dataclass(frozen=True, slots=True, kw_only=True)
class CellTruth:
    """What is true of a cell in all its scans.

    Parameters
    ----------
    cell, detector
        What the cell is and what looks at it.
    schedule
        The scans.
    growth
        How the cell changes.
    """

    cell: CellParameters
    detector: DetectorParameters
    schedule: tuple[ScanPoint, ...]
    growth: CellGrowth

    @property
    def control_region(self) -> Roi | None:
        """A box beside the view that the beam never meets, in voxels of the frame of scan 0."""
        n_rows = round(self.cell.growth.control_um / self.detector.voxel_um)
        if n_rows == 0:
            return None
        z0 = self.detector.n_volume_rows + round(_CONTROL_GAP_UM / self.detector.voxel_um)
        n_columns = self.detector.n_columns
        return Roi(z0=z0, z1=z0 + n_rows, y0=0, y1=n_columns, x0=0, x1=n_columns)

    def labels(self, point: ScanPoint, roi: Roi) -> LabelVolume:
        """Return the true labels of a box, shape (n_z, n_y, n_x)."""
        voxel_um = self.detector.voxel_um
        middle = field_axis_px(self.detector.n_columns)
        y_um = (np.arange(roi.y0, roi.y1) - middle) * voxel_um
        x_um = (np.arange(roi.x0, roi.x1) - middle) * voxel_um
        out = voxel_labels(self.maps(point, roi), y_um)
        is_outside = np.abs(x_um) >= cell_half_width_um(self.cell, self.detector)
        out[:, :, is_outside] = Label.BACKGROUND
        return out

    def metrics(self, points: tuple[ScanPoint, ...], roi: Roi) -> list[dict[str, float]]:
        """Return the metrics of some scans; what cannot be said is left out."""
        references = {other.scan for point in points for other in self._references(point)}
        kept: dict[int, ScanTruth] = {}
        out = []
        for point in points:
            scans = kept | {
                other.scan: self._scan_truth(other, roi)
                for other in (*self._references(point), point)
                if other.scan not in kept
            }
            out.append(self._compare(point, scans, roi))
            # Maps are large: only those that later scans are compared with stay.
            kept = {scan: truth for scan, truth in scans.items() if scan in references}
        return out

    def _scan_truth(self, point: ScanPoint, roi: Roi) -> ScanTruth:
        maps = self.maps(point, roi)
        return ScanTruth(metrics=layer_metrics(maps), planes=PlaneMaps.of(maps))

    def porosity(self, point: ScanPoint) -> dict[str, float]:
        """Return what share of each porous class is not metal."""
        plated = self.growth.state(point.pulse).ledger.plated_porosity
        return {
            "deposited": plated,
            "dendrite": plated,
            "redeposited": self.cell.growth.redeposited_porosity,
        }

    def maps(self, point: ScanPoint, roi: Roi) -> TruthMaps:
        """Sample the columns of a box, with thresholds that do not depend on the box."""
        first, last = self._rows(roi)
        voxel_um = self.detector.voxel_um
        view = self._columns(first, last, 0, self.detector.n_columns)
        state = self.growth.state(point.pulse)
        surfaces = self.growth.surfaces(state, view, view)
        plated = plated_surface(surfaces.top_um.astype(np.float32), voxel_um, _DENDRITE_WINDOW_UM)
        box = slice(roi.z0 - first, roi.z1 - first), slice(roi.x0, roi.x1)
        return TruthMaps(
            surfaces=surfaces.cropped(box),
            planes=self.growth.planes(state),
            mode_um=plated.mode_um[box].astype(np.float64),
            threshold_um=plated.threshold_um[box].astype(np.float64),
            voxel_um=voxel_um,
        )

    def dendrite_widths(self, point: ScanPoint, roi: Roi) -> tuple[Map, Map]:
        """Return widths and volumes of all pieces of dendrites, micrometres and cubic ones."""
        maps, state = self.maps(point, roi), self.growth.state(point.pulse)
        samples = self.growth.body_samples(state, self._columns(roi.z0, roi.z1, roi.x0, roi.x1))
        surfaces = maps.surfaces
        ceiling_um = maps.plating_inner_um - maps.stripping_surface_um
        low_um, high_um = samples.placed(
            state.layer_base_um, surfaces.floor_um, surfaces.lift_um, ceiling_um
        )
        low_um = np.maximum(low_um, maps.threshold_um.ravel()[samples.column])
        return samples.width_um, np.maximum(high_um - low_um, 0.0) * maps.voxel_um**2

    def _columns(self, z0: int, z1: int, x0: int, x1: int) -> Sampling:
        """Return the columns of voxels in the frame of scan 0."""
        z_px = np.arange(z0, z1) - field_axis_px(self.detector.n_volume_rows)
        x_px = np.arange(x0, x1) - field_axis_px(self.detector.n_columns)
        return Sampling(z_um=z_px * self.detector.voxel_um, x_um=x_px * self.detector.voxel_um)

    def _rows(self, roi: Roi) -> tuple[int, int]:
        """Return the rows to sample: those beyond the view complete the windows."""
        margin = int(np.ceil(_DENDRITE_WINDOW_UM / self.detector.voxel_um))
        n_rows, n_columns = self.detector.n_volume_rows, self.detector.n_columns
        control = self.control_region
        regions = [(0, n_rows), *([(control.z0, control.z1)] if control else [])]
        for z0, z1 in regions:
            if z0 <= roi.z0 < roi.z1 <= z1 and 0 <= roi.x0 < roi.x1 <= n_columns:
                return z0 - margin, z1 + margin
        raise ParameterError(f"{roi} does not lie in the view of {n_rows} x {n_columns}")

    def _references(self, point: ScanPoint) -> list[ScanPoint]:
        charged = self._half_cycle_end(point)
        others = [self.schedule[0], self._half_cycle_start(point)]
        return [*others, charged] if charged else others

    def _half_cycle_start(self, point: ScanPoint) -> ScanPoint:
        """Return the last scan of the previous half-cycle, or scan 0."""
        before = [p for p in self.schedule if p.half_cycle < point.half_cycle]
        return before[-1] if before else self.schedule[0]

    def _half_cycle_end(self, point: ScanPoint) -> ScanPoint | None:
        """Return the last scan of the last half-cycle before that plated, None in the first."""
        before = [p for p in self.schedule if p.half_cycle < point.half_cycle]
        ended = [p for p in before if p.half_cycle % 2 == 0 and p.pulse > 0]
        return ended[-1] if ended else None

    def _compare(
        self, point: ScanPoint, scans: Mapping[int, ScanTruth], roi: Roi
    ) -> dict[str, float]:
        """Complete the metrics of a scan by what compares it with earlier ones."""
        start, charged = self._half_cycle_start(point), self._half_cycle_end(point)
        now, first = dict(scans[point.scan].metrics), scans[0].metrics
        tip_um = now.pop("tip_height_um")
        now["penetration_fraction"] = tip_um / first["electrolyte_thickness_um"]
        now["li_conservation_residual_um3"] = (
            now["li_total_volume_um3"] - first["li_total_volume_um3"]
        )
        if abs(point.charge_mAh_cm2) <= self.cell.pulse_charge_mAh_cm2 / 2:
            now["dead_lithium_remaining_volume_um3"] = (
                now["deposited_volume_um3"] + now["dendrite_volume_um3"]
            )
        now |= pit_metrics(
            scans[point.scan].planes,
            scans[charged.scan].planes if charged else None,
            voxel_um=self.detector.voxel_um,
        )
        n_columns = (roi.z1 - roi.z0) * (roi.x1 - roi.x0)
        return now | charge_metrics(
            now,
            scans[start.scan].metrics,
            is_plating=point.half_cycle % 2 == 0,
            passed_mAh_cm2=point.throughput_mAh_cm2 - start.throughput_mAh_cm2,
            area_cm2=n_columns * (self.detector.voxel_um / UM_PER_CM) ** 2,
            active_area_cm2=self.cell.active_area_cm2,
        )

"""Scans of a simulated cell in memory, as a source would send them."""

from dataclasses import dataclass

import google_crc32c
import numpy as np

from lithoscope_messages import (
    ElectrochemistrySamples,
    ExpectedCount,
    FrameHeader,
    ScanBegin,
    ScanEnd,
    ScanPhase,
)
from lithoscope_pipeline.phantom import SimulatedCell, SizeName, make_cell

SESSION = "0" * 32
EXPERIMENT = "bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedScan:
    """The messages of one scan, in the order in which they are sent."""

    cell: SimulatedCell
    samples: ElectrochemistrySamples | None
    begin: ScanBegin
    frames: tuple[tuple[FrameHeader, bytes], ...]
    end: ScanEnd


def simulate(
    size: SizeName, *, seed: int, n_scans: int = 3, n_taken: int = 2
) -> list[SimulatedScan]:
    """Make the first scans of a cell; by default pristine, and in the middle, fully charged."""
    cell = make_cell(size, seed=seed, n_scans=n_scans)
    return [
        SimulatedScan(
            cell=cell,
            samples=_samples(cell, point.scan),
            begin=_begin(cell, point.scan),
            frames=_frames(cell, point.scan),
            end=ScanEnd(
                experiment=EXPERIMENT, scan=point.scan, session=SESSION, sequence=0, time_ns=0
            ),
        )
        for point in cell.schedule[:n_taken]
    ]


def _samples(cell: SimulatedCell, scan: int) -> ElectrochemistrySamples | None:
    """Give what the cycler recorded since the scan before."""
    if scan == 0:
        return None
    record = cell.electrochemistry(scan - 1, scan)
    return ElectrochemistrySamples(
        experiment=EXPERIMENT,
        session=SESSION,
        sequence=0,
        first=0,
        time_s=tuple(record.time_s.tolist()),
        potential_V=tuple(record.potential_V.tolist()),
        current_mA=tuple(record.current_mA.tolist()),
    )


def _begin(cell: SimulatedCell, scan: int) -> ScanBegin:
    detector, point = cell.detector, cell.schedule[scan]
    return ScanBegin(
        experiment=EXPERIMENT,
        scan=scan,
        session=SESSION,
        sequence=0,
        time_ns=0,
        expected=(
            ExpectedCount(kind="dark", count=detector.n_darks),
            ExpectedCount(kind="flat", count=detector.n_flats),
            ExpectedCount(kind="projection", count=detector.n_angles),
        ),
        frame_shape=(detector.n_rows, detector.n_columns),
        dtype="uint16",
        voxel_size_um=detector.voxel_um,
        energy_keV=cell.cell.optics.energy_keV,
        distance_mm=cell.cell.optics.distance_mm or None,
        phase=ScanPhase(
            experiment_time_s=point.time_s,
            cycle=point.cycle,
            half_cycle=point.half_cycle,
            pulse=point.pulse,
        ),
    )


def _frames(cell: SimulatedCell, scan: int) -> tuple[tuple[FrameHeader, bytes], ...]:
    made = []
    for kind, index, image in cell.frames(scan):
        pixels = np.ascontiguousarray(image).tobytes()
        header = FrameHeader(
            experiment=EXPERIMENT,
            scan=scan,
            kind=kind,
            index=index,
            session=SESSION,
            sequence=0,
            theta_deg=float(cell.thetas_deg[index]) if kind == "projection" else None,
            time_ns=0,
            dtype="uint16",
            shape=(cell.detector.n_rows, cell.detector.n_columns),
            crc32c=google_crc32c.value(pixels),
        )
        made.append((header, pixels))
    return tuple(made)

"""The register stage on stored volumes: a frame, a scan that follows, one that has no place."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from registration_cases import in_scan, reconstructed, true_drift

from lithoscope_messages import Entry, ScanStarted, TransformReady, VolumeReady
from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.phantom import SimulatedCell, make_cell
from lithoscope_pipeline.reference_frame import find_reference_frame
from lithoscope_services.history import History
from lithoscope_services.stages.register import RegisterStage
from lithoscope_services.stages.register_frame import frame_transform
from lithoscope_store import Store, create_volume, finish_volume, write_slab

ZEROS = "0" * 64


class StoredScans:
    """An experiment of reconstructed volumes, and the journal about it."""

    def __init__(self, root: Path, voxel_um: float) -> None:
        self.root, self.voxel_um = root, voxel_um
        self.paths = Store(root).experiment("cell")
        self.paths.create()
        self.history = History("cell")

    def add(self, scan: int, volume: FloatVolume) -> None:
        """Store a volume and say so."""
        key = f"{scan + 1:x}" * 64
        path = self.paths.reconstruction(scan, key)
        shape = (volume.shape[0], volume.shape[1], volume.shape[2])
        create_volume(
            path, shape=shape, voxel_um=self.voxel_um, name=f"scan {scan}", slab_slices=shape[0]
        )
        write_slab(path, 0, np.ascontiguousarray(volume))
        finish_volume(path)
        parts: dict[str, Any] = {
            "experiment": "cell",
            "time_ns": 1,
            "producer": "test",
            "scan": scan,
        }
        begun = ScanStarted(
            **parts,
            key=f"begun {scan}",
            expected=(),
            frame_shape=shape[:2],
            dtype="uint16",
            voxel_size_um=self.voxel_um,
        )
        ready = VolumeReady(
            **parts,
            key=f"volume {scan}",
            stage="reconstruct",
            work_key=key,
            path=self.paths.relative(path),
            shape=shape,
            voxel_um=self.voxel_um,
            sha256=ZEROS,
        )
        self._fold(begun, ready)

    def register(self) -> TransformReady:
        """Do the next task, and say what came of it."""
        (task,) = RegisterStage().plan(self.history)
        (fact,) = RegisterStage().execute(task, str(self.root))
        assert isinstance(fact, TransformReady)
        self._fold(fact)
        return fact

    def _fold(self, *messages: ScanStarted | VolumeReady | TransformReady) -> None:
        first = self.history.number + 1
        self.history.extend(
            Entry(number=number, appended_ns=0, previous_hash=ZEROS, hash=ZEROS, message=message)
            for number, message in enumerate(messages, start=first)
        )


@pytest.fixture(scope="module")
def cell() -> SimulatedCell:
    return make_cell("tiny", seed=4, n_scans=3)


@pytest.fixture(scope="module")
def volumes(cell: SimulatedCell) -> list[FloatVolume]:
    return [reconstructed(cell, scan) for scan in (0, 1)]


@pytest.fixture
def stored(tmp_path: Path, cell: SimulatedCell) -> StoredScans:
    return StoredScans(tmp_path, cell.voxel_um)


def test_scans_are_placed_in_the_frame_of_the_first_or_said_not_to_be(
    stored: StoredScans, cell: SimulatedCell, volumes: list[FloatVolume]
) -> None:
    noise = np.random.default_rng(1).normal(size=volumes[0].shape).astype(np.float32)
    for scan, volume in enumerate((volumes[0], volumes[1], noise, volumes[1])):
        stored.add(scan, volume)

    frame, placed, lost, again = (stored.register() for _ in range(4))

    assert frame.verdict == "reference"
    assert len(frame.planes_px) == 6
    assert placed.verdict == "resolved"
    assert placed.is_anchored
    roi = placed.roi
    ends = np.array(
        [[z, y, x] for z in (roi.z0, roi.z1) for y in (roi.y0, roi.y1) for x in (roi.x0, roi.x1)],
        dtype=np.float64,
    )
    levelled = find_reference_frame(volumes[0], cell.voxel_um)
    true = in_scan(levelled, true_drift(cell, 1, volumes[0].shape))
    found = frame_transform(placed.model_dump(mode="json"))
    assert np.abs(found.to_scan(ends) - true.to_scan(ends)).max() < 0.35
    assert lost.verdict == "unregistered"
    assert lost.reason
    assert lost.shift_px == placed.shift_px
    assert lost.stack_thickness_um is None
    # The one after it follows the last that was placed; it is the same volume.
    assert again.verdict == "resolved"
    assert again.fixed_scan == 1
    assert again.shift_px == pytest.approx(placed.shift_px, abs=0.02)

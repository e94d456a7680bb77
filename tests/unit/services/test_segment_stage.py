"""The segment stage shows a network what it may see, and gives the same bytes for any slab."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scan_parts import parts

from lithoscope_messages import (
    Entry,
    ExperimentDescription,
    ExperimentStarted,
    FaceFinding,
    JournalMessage,
    LabelsReady,
    RoiVoxels,
    ScanPhase,
    ScanStarted,
    TransformReady,
    VolumeReady,
)
from lithoscope_models.model_file import load_card
from lithoscope_pipeline.labels import Label
from lithoscope_services.errors import ServiceError
from lithoscope_services.history import History
from lithoscope_services.stage import Task
from lithoscope_services.stages.segment import SegmentStage
from lithoscope_services.stages.segment.network import usable_cores
from lithoscope_services.stages.segment.written import LABEL_NAME, SINGLE_SCAN_LABEL_NAME
from lithoscope_store import (
    Store,
    array_sha256,
    create_volume,
    finish_volume,
    label_classes,
    read_slab,
    write_maps,
    write_slab,
)

ZEROS = "0" * 64
VOXEL_UM = 2.25  # that of the network
SHAPE = (10, 112, 40)
ROI = RoiVoxels(z0=0, z1=SHAPE[0], y0=0, y1=SHAPE[1], x0=0, x1=SHAPE[2])
ENGINE = "onnxruntime"  # it comes with Lithoscope


@pytest.fixture(scope="module", autouse=True)
def engine_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def grey(scan: int) -> NDArray[np.float32]:
    """Make pouch, electrode, electrolyte, electrode, pouch; 3 voxels are plated a scan."""
    volume = np.full(SHAPE, 2.0, np.float32)
    volume[:, 8 : 102 + 3 * scan] = 1.0
    volume[:, 8:30] = 0.0
    volume[:, 80 : 102 + 3 * scan] = 0.0
    noise = np.random.default_rng(scan).normal(0, 0.2, SHAPE)
    return np.asarray(volume + noise, np.float32)


#: Flat layers and white noise are no cell that the network was trained on.
BOXES = "unlike_training"


class Experiment:
    """Reconstructed and registered scans in a store, and what the journal says of them."""

    def __init__(
        self,
        root: Path,
        settings: dict[str, Any],
        *,
        slab_rows: int = 32,
        voxel_um: float = VOXEL_UM,
    ) -> None:
        self.root, self.voxel_um = root, voxel_um
        self.paths = Store(root).experiment("cell")
        self.paths.create()
        self.messages: list[JournalMessage] = [
            ExperimentStarted(
                experiment="cell",
                key="cell",
                time_ns=1,
                producer="test",
                description=ExperimentDescription(),
                settings={
                    "segment": {"engine": ENGINE, **settings},
                    "reconstruct": {"slab_rows": slab_rows},
                },
                format_version=1,
            )
        ]

    def add(
        self,
        scan: int,
        *,
        has_plating_face: bool = True,
        half_cycle: int = 0,
        error_px: float = 0.0,
    ) -> None:
        path = self.paths.reconstruction(scan, ZEROS)
        create_volume(path, shape=SHAPE, voxel_um=self.voxel_um, name="test", slab_slices=32)
        write_slab(path, 0, grey(scan))
        finish_volume(path)
        maps = self.paths.maps(scan, ZEROS)
        columns = (SHAPE[0], SHAPE[2])
        moved = {
            "stripping_displacement": np.zeros(columns, np.float32),
            "plating_displacement": np.full(
                columns, (3 * scan + error_px) * self.voxel_um, np.float32
            ),
        }
        write_maps(maps, moved, voxel_um=self.voxel_um)
        self.messages += [
            ScanStarted(
                **parts("started", scan),
                expected=(),
                frame_shape=(16, 64),
                dtype="uint16",
                voxel_size_um=self.voxel_um,
                phase=ScanPhase(half_cycle=half_cycle),
            ),
            VolumeReady(
                **parts("volume", scan),
                stage="reconstruct",
                work_key=f"{scan:x}" * 64,
                path=self.paths.relative(path),
                shape=SHAPE,
                voxel_um=self.voxel_um,
                sha256=ZEROS,
            ),
            self._transform(scan, has_plating_face, self.paths.relative(maps)),
        ]

    @staticmethod
    def _transform(scan: int, has_plating_face: bool, maps: str) -> TransformReady:
        verdicts = {"stripping": True, "plating": has_plating_face}
        return TransformReady(
            **parts("transform", scan),
            work_key=f"{scan + 8:x}" * 64,
            fixed_scan=0,
            rotation_deg=(0.0, 0.0, 0.0),
            shift_px=(0.0, 0.0, 0.0),
            centre_px=(0.0, 0.0, 0.0),
            residual_px=0.0,
            verdict="resolved" if scan else "reference",
            roi=ROI,
            y_outer_px=8.0,
            maps_path=maps,
            faces=tuple(
                FaceFinding(side=side, verdict="resolved" if found else "unresolved")  # type: ignore[arg-type]  # one of two
                for side, found in verdicts.items()
            ),
        )

    def plan(self) -> Sequence[Task]:
        history = History("cell")
        history.extend(
            Entry(number=n, appended_ns=0, previous_hash=ZEROS, hash=ZEROS, message=message)
            for n, message in enumerate(self.messages, start=1)
        )
        return SegmentStage().plan(history)

    def run(self) -> LabelsReady:
        """Do the one task there is."""
        (task,) = self.plan()
        (fact,) = SegmentStage().execute(task, str(self.root))
        assert isinstance(fact, LabelsReady)
        self.messages.append(fact)
        return fact

    def labels(self, fact: LabelsReady, name: str = LABEL_NAME) -> NDArray[np.uint8]:
        return read_slab(self.paths.resolve(fact.path), 0, SHAPE[0], label=name)


@pytest.fixture(scope="module")
def three_scans(tmp_path_factory: pytest.TempPathFactory) -> tuple[Experiment, list[LabelsReady]]:
    experiment = Experiment(tmp_path_factory.mktemp("three"), {})
    facts = []
    for scan in range(3):
        experiment.add(scan, has_plating_face=scan != 2)
        facts.append(experiment.run())
    return experiment, facts


Three = tuple[Experiment, list[LabelsReady]]


def test_the_first_scan_is_seen_alone_and_is_pristine(three_scans: Three) -> None:
    experiment, (first, _, _) = three_scans
    labels = experiment.labels(first)

    assert first.earlier_scans == ()
    assert first.single_scan_label_name is None
    assert first.flags == (BOXES,)
    assert first.model == "stream-unet"
    assert first.engine.startswith("onnxruntime (onnxruntime 1.")
    assert first.sha256 == array_sha256(labels)
    added = (Label.DEPOSITED, Label.REDEPOSITED, Label.DENDRITE)
    assert not np.isin(labels, added).any()
    assert set(label_classes(experiment.paths.resolve(first.path), LABEL_NAME)) != set()


def test_a_later_scan_is_seen_beside_the_one_before_and_the_first(three_scans: Three) -> None:
    experiment, (_, second, _) = three_scans

    assert second.earlier_scans == (0, 0)
    assert second.single_scan_label_name == SINGLE_SCAN_LABEL_NAME
    assert second.flags == (BOXES,)
    alone = experiment.labels(second, SINGLE_SCAN_LABEL_NAME)
    assert alone.shape == SHAPE
    assert second.confidence is not None
    assert second.confidence.single_scan_agreement is not None


def test_a_scan_whose_face_was_not_found_is_seen_alone_and_says_so(three_scans: Three) -> None:
    _, (_, _, third) = three_scans

    assert third.earlier_scans == ()
    assert third.flags == ("single_scan_labels", BOXES)


def test_a_voxel_of_error_in_the_map_of_a_face_changes_no_label(
    three_scans: Three, tmp_path: Path
) -> None:
    _, (_, second, _) = three_scans
    wrong = Experiment(tmp_path, {})
    wrong.add(0)
    wrong.run()
    wrong.add(1, error_px=1.0)

    assert wrong.run().sha256 == second.sha256


def test_a_scan_beside_which_earlier_ones_do_not_lie_is_seen_alone_and_says_so(
    tmp_path: Path,
) -> None:
    experiment = Experiment(tmp_path, {})
    experiment.add(0)
    experiment.run()
    experiment.add(1, error_px=8.0)
    fact = experiment.run()

    assert fact.earlier_scans == ()
    assert fact.single_scan_label_name is None
    assert fact.flags == (BOXES, "single_scan_labels")


def test_soft_volumes_add_up_to_the_region(three_scans: Three) -> None:
    _, facts = three_scans
    for fact in facts:
        assert sum(fact.soft_voxels.values()) == pytest.approx(np.prod(SHAPE), rel=1e-5)
        assert fact.unsegmented == ()
        assert fact.grey is not None


def test_slabs_of_any_height_give_the_same_bytes(three_scans: Three, tmp_path: Path) -> None:
    _, (first, second, _) = three_scans
    other = Experiment(tmp_path, {"n_threads": 1}, slab_rows=4)
    for scan, reference in ((0, first), (1, second)):
        other.add(scan)
        fact = other.run()
        assert fact.sha256 == reference.sha256
        assert fact.soft_voxels == reference.soft_voxels
        assert fact.confidence == reference.confidence


def test_only_the_order_of_layers_needs_the_labels_of_earlier_scans(tmp_path: Path) -> None:
    for method, planned in (("network", [0, 1]), ("layers", [0])):
        experiment = Experiment(tmp_path / method, {"method": method})
        experiment.add(0)
        experiment.add(1)

        assert [task.scan for task in experiment.plan()] == planned


def test_another_network_or_half_cycle_is_another_task_and_threads_are_not(tmp_path: Path) -> None:
    keys = set()
    for name, settings, half_cycle in (
        ("a", {}, 0),
        ("b", {"n_threads": 2}, 0),
        ("c", {"earlier_scans": False}, 0),
        ("d", {}, 1),
        ("e", {"model": "/nowhere"}, 0),
    ):
        experiment = Experiment(tmp_path / name, settings)
        experiment.add(0, half_cycle=half_cycle)
        keys.add(experiment.plan()[0].key)

    assert len(keys) == 4


def test_a_model_that_is_refused_is_a_named_failure(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, {"model": str(tmp_path)})
    experiment.add(0)

    with pytest.raises(ServiceError, match=r"scan 0: .*no model here"):
        experiment.run()


def test_layers_do_without_a_network(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, {"method": "layers"})
    for scan in range(2):
        experiment.add(scan)
        fact = experiment.run()

    labels = experiment.labels(fact)
    assert (fact.model, fact.engine) == ("layers", "")
    assert fact.unsegmented == ("pit", "void")
    # 3 voxels a scan over 400 columns.
    assert np.count_nonzero(labels == Label.DEPOSITED) == pytest.approx(1200, rel=0.05)


@pytest.mark.parametrize(("said", "taken"), [("1", 1), ("1,4", 1), ("0", None), ("", None)])
def test_a_worker_takes_the_threads_that_it_was_given(
    said: str, taken: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    all_cores = usable_cores()

    monkeypatch.setenv("OMP_NUM_THREADS", said)

    assert usable_cores() == (taken or all_cores)


def test_voxels_that_the_network_has_never_seen_are_flagged(tmp_path: Path) -> None:
    trained_um = load_card("stream-unet").voxel_um
    assert trained_um is not None
    experiment = Experiment(tmp_path, {}, voxel_um=1.6 * trained_um)
    experiment.add(0)

    flags = experiment.run().flags

    assert flags == ("voxel_size_not_trained_on", BOXES)


def test_probabilities_are_stored_where_they_are_asked_for(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, {"probabilities": True})
    experiment.add(0)

    fact = experiment.run()

    folder = experiment.paths.root / "probabilities" / Path(fact.path).name
    classes = sorted(path.stem for path in folder.iterdir())
    assert classes == sorted(fact.soft_voxels)
    total = sum(read_slab(folder / f"{name}.zarr", 0, SHAPE[0]).astype(int) for name in classes)
    # Seven roundings of half a 255th.
    assert np.abs(total - 255).max() <= 4


def test_models_of_version_two_were_tried_out_on_nothing(three_scans: Three) -> None:
    _, (first, _, _) = three_scans
    new = {"distribution", "validated_on", "validated_on_simulated"}
    old = first.model_dump(mode="json", exclude=new)

    lifted = LabelsReady.model_validate({**old, "version": 2}, strict=False)

    assert lifted.version == 3
    assert lifted.grey == first.grey
    assert (lifted.distribution, lifted.validated_on) == (None, ())
    assert not lifted.validated_on_simulated

"""Documents of runs, folded: which frame lies where, and which angle it has."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lithoscope_messages import ExpectedCount
from lithoscope_services.errors import SourceError
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sources.bluesky import check_document
from lithoscope_services.sources.bluesky.detector_file import DetectorFile, path_of
from lithoscope_services.sources.bluesky.frames import Frames
from lithoscope_services.sources.bluesky.run import Run
from lithoscope_services.sources.bluesky.runs import WAITS_S, Runs
from lithoscope_services.sources.bluesky.theta import Theta, Thetas

N = 6
EXPECTED = (
    ExpectedCount(kind="dark", count=2),
    ExpectedCount(kind="flat", count=2),
    ExpectedCount(kind="projection", count=N),
)


def settings(**more: Any) -> SourceSettings:
    values = {"kind": "bluesky", "address": "ipc:///proxy", "folder": "/data"} | more
    return SourceSettings.model_validate(values)


def start(**more: Any) -> tuple[str, dict[str, Any]]:
    return "start", {"uid": "run", "time": 100.0} | more


def descriptor(name: str, keys: dict[str, Any], uid: str | None = None) -> tuple[str, Any]:
    return "descriptor", {
        "uid": uid or name,
        "run_start": "run",
        "time": 100.0,
        "name": name,
        "data_keys": keys,
    }


def images(per_event: int = 1) -> dict[str, Any]:
    shape = [per_event, 4, 6]
    return {"camera": {"source": "", "dtype": "array", "shape": shape, "external": "STREAM:"}}


def angles(**more: Any) -> dict[str, Any]:
    return {"stage-theta_deg": {"source": "", "dtype": "number", "shape": []} | more}


def resource(uid: str = "file", key: str = "camera", **more: Any) -> tuple[str, Any]:
    return "stream_resource", {
        "uid": uid,
        "run_start": "run",
        "data_key": key,
        "mimetype": "application/x-hdf5",
        "uri": "file://localhost/data/scan.h5",
        "parameters": {"dataset": "/data"},
    } | more


def datum(
    stream: str, indices: tuple[int, int], first_seq: int = 1, uid: str = "file"
) -> tuple[str, Any]:
    start_, stop = indices
    return "stream_datum", {
        "uid": f"{uid}/{stream}/{start_}",
        "descriptor": stream,
        "stream_resource": uid,
        "indices": {"start": start_, "stop": stop},
        "seq_nums": {"start": first_seq, "stop": first_seq + stop - start_},
    }


def event(stream: str, seq_num: int, **data: float) -> tuple[str, Any]:
    return "event", {
        "uid": f"{stream} {seq_num}",
        "descriptor": stream,
        "seq_num": seq_num,
        "time": 100.0 + seq_num,
        "data": {key.replace("__", "-"): value for key, value in data.items()},
        "timestamps": {},
    }


def folded(*documents: tuple[str, Any], **more: Any) -> Run:
    runs = Runs(experiment="cell", settings=settings(**more))
    for name, body in documents:
        runs.take(check_document(name, body), 0.0)
    return runs.under_way["run"]


def rows(frames: Frames) -> dict[tuple[str, int], int]:
    return {(slot[0], slot[2]): spot.row for slot, spot in frames.spots.items()}


def test_streams_that_share_a_file_have_their_rows_one_after_another() -> None:
    run = folded(
        start(),
        *(descriptor(name, images()) for name in ("darks", "flats", "projections")),
        resource(),
        datum("darks", (0, 2)),
        datum("flats", (2, 4)),
        datum("projections", (4, 7)),
        datum("projections", (7, 10), first_seq=4),
    )
    frames = Frames(run=run, expected=EXPECTED)

    frames.announced()

    assert frames.missing == []
    assert rows(frames)["flat", 1] == 3
    assert rows(frames)["projection", 5] == 9


def test_images_of_an_event_lie_side_by_side() -> None:
    run = folded(
        start(), descriptor("projections", images(3)), resource(), datum("projections", (1, 3))
    )
    frames = Frames(run=run, expected=EXPECTED)

    frames.announced()

    # Index 1 is event 0: its three images are rows 3 to 5.
    assert [rows(frames)["projection", index] for index in range(N)] == [3, 4, 5, 6, 7, 8]


def test_a_stream_without_a_name_is_told_apart_by_the_counts() -> None:
    run = folded(start(), descriptor("primary", images()), resource(), datum("primary", (0, 10)))
    frames = Frames(run=run, expected=EXPECTED)

    frames.announced()

    assert frames.missing == []
    assert rows(frames)["flat", 0] == 2
    assert rows(frames)["projection", 0] == 4


def test_a_lost_datum_is_found_beside_the_others_and_a_lost_set_by_what_is_left_over() -> None:
    run = folded(
        start(),
        *(descriptor(name, images()) for name in ("darks", "flats", "projections")),
        resource(),
        datum("flats", (2, 4)),
        datum("projections", (4, 5)),
        datum("projections", (8, 10), first_seq=5),
    )
    frames = Frames(run=run, expected=EXPECTED)
    frames.announced()

    found = frames.fetched(lambda _: range(10))
    left = frames.left_over(lambda _: range(10))

    assert [(spot.slot[2], spot.row) for spot in found] == [(1, 5), (2, 6), (3, 7)]
    assert [(spot.slot, spot.row) for spot in left] == [(("dark", 0, 0), 0), (("dark", 0, 1), 1)]
    assert frames.missing == []


def test_rows_that_are_not_written_are_not_fetched() -> None:
    run = folded(
        start(), descriptor("projections", images()), resource(), datum("projections", (0, 2))
    )
    frames = Frames(run=run, expected=EXPECTED[2:])
    frames.announced()

    found = frames.fetched(lambda _: range(4))

    assert [spot.row for spot in found] == [2, 3]


def test_a_datum_that_claims_too_much_is_refused_and_takes_no_time() -> None:
    run = folded(
        start(),
        descriptor("projections", images()),
        resource(),
        datum("projections", (0, 999_999)),
    )
    frames = Frames(run=run, expected=EXPECTED)

    frames.announced()

    assert len(frames.spots) == N
    assert str(frames.refused[0]).startswith("indices: 999999 frames")


def test_documents_may_come_in_any_order() -> None:
    documents = [
        datum("projections", (0, N)),
        resource(),
        event("projections", 1, stage__theta_deg=12.5),
        descriptor("projections", images() | angles()),
        start(),
    ]
    run = folded(*documents)
    frames = Frames(run=run, expected=EXPECTED[2:])

    frames.announced()

    assert frames.missing == []
    assert run.thetas_deg == {("projections", 0): 12.5}


def test_a_document_whose_run_never_began_is_refused_in_the_end() -> None:
    runs = Runs(experiment="cell", settings=settings())
    runs.take(check_document(*datum("projections", (0, 1))), 0.0)

    runs.expire(WAITS_S + 1.0)

    assert dict(runs.refused) == {"run_start": 1}


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (start(lithoscope_experiment="other"), "start.lithoscope_experiment"),
        (start(lithoscope_scan="3"), "start.lithoscope_scan"),
        (start(lithoscope_scan=-1), "start.lithoscope_scan"),
        (start(lithoscope_expected={"nothing": 3}), "start.lithoscope_expected"),
        (start(lithoscope_voxel_size_um=0.0), "start.lithoscope_voxel_size_um"),
        (start(x_thetas_deg=["a"]), "start.x_thetas_deg"),
    ],
)
def test_a_start_that_says_nonsense_is_refused_by_its_field(document: Any, field: str) -> None:
    with pytest.raises(SourceError) as caught:
        Runs(experiment="cell", settings=settings()).take(check_document(*document), 0.0)

    assert str(caught.value).partition(":")[0] == field


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (resource(mimetype="multipart/related;type=image/tiff"), "stream_resource.mimetype"),
        (resource(parameters={}), "stream_resource.parameters.dataset"),
        (resource(parameters={"dataset": "a", "slice": ":"}), "stream_resource.parameters.slice"),
        (datum("projections", (3, 3)), "stream_datum.indices"),
        (datum("projections", (0, 2), first_seq=0), "stream_datum.seq_nums"),
        (descriptor("a", images() | {"b": images()["camera"]}), "descriptor.data_keys"),
        (
            descriptor("a", {"camera": images()["camera"] | {"external": "FILESTORE:"}}),
            "descriptor.data_keys.camera.external",
        ),
    ],
)
def test_what_cannot_be_taken_is_refused_by_its_field(document: Any, field: str) -> None:
    runs = Runs(experiment="cell", settings=settings())
    runs.take(check_document(*start()), 0.0)
    runs.take(check_document(*descriptor("projections", images())), 0.0)

    with pytest.raises(SourceError) as caught:
        runs.take(check_document(*document), 0.0)

    assert str(caught.value).partition(":")[0] == field


def theta_of(run: Run, index: int, *, is_over: bool = False, **more: Any) -> Theta | None:
    frames = Frames(run=run, expected=EXPECTED[2:])
    frames.announced()
    thetas = Thetas(
        run=run,
        settings=settings(**more),
        n_projections=N,
        table_deg=(),
        open_file=lambda each: DetectorFile(path_of(each.uri, Path("/")), each.dataset),
    )
    return thetas.of(frames.spots["projection", 0, index], is_over=is_over)


SCAN = (resource(), datum("projections", (0, N)))


def test_an_angle_of_an_event_stands_before_a_table_and_the_formula() -> None:
    run = folded(
        start(plan_thetas_deg=[0.0] * N),
        descriptor("projections", images() | angles()),
        *SCAN,
        event("projections", 3, stage__theta_deg=61.0),
    )

    assert theta_of(run, 2) == Theta(61.0, "frame")
    assert theta_of(run, 1) is None  # it may still come
    assert theta_of(run, 1, is_over=True) == Theta(0.0, "table")


def test_an_angle_that_was_measured_and_lost_is_not_guessed() -> None:
    run = folded(start(), descriptor("projections", images() | angles()), *SCAN)

    with pytest.raises(SourceError, match=r"^theta: that of projection 1 was measured"):
        theta_of(run, 1, is_over=True)


def test_without_any_angle_the_list_of_the_start_or_the_formula_of_the_settings_holds() -> None:
    listed = folded(
        start(lithoscope_thetas_deg=[10.0 * n for n in range(N)]),
        descriptor("projections", images()),
        *SCAN,
    )
    plain = folded(start(), descriptor("projections", images()), *SCAN)

    assert theta_of(listed, 4) == Theta(40.0, "table")
    assert theta_of(plain, 4) == Theta(4 * 180 / N, "formula")
    assert theta_of(plain, 4, theta_start_deg=1.0, theta_step_deg=0.5) == Theta(3.0, "formula")


def test_an_angle_of_the_encoder_is_read_from_its_own_dataset(tmp_path: Path) -> None:
    path = tmp_path / "panda.h5"
    with h5py.File(path, "w") as file:
        file["data"] = np.arange(20) / 4
    run = folded(
        start(),
        descriptor("projections", images() | angles(external="STREAM:", shape=[1])),
        *SCAN,
        resource("panda", "stage-theta_deg", uri=path.as_uri()),
        datum("projections", (7, 7 + N), uid="panda"),
    )

    assert theta_of(run, 2) == Theta(9 / 4, "encoder")


@pytest.mark.parametrize(
    "uri",
    [
        "file://localhost/data/../etc/passwd",
        "file:///etc/passwd",
        "http://localhost/data/scan.h5",
        "file:data/scan.h5",
        "/data/scan.h5",
        "file:///data/scan.h5?query",
        "file:///data/%00",
    ],
)
def test_only_absolute_files_below_the_folder_are_read(uri: str) -> None:
    with pytest.raises(SourceError, match=r"^uri: "):
        path_of(uri, Path("/data"))


def test_rows_whose_chunk_is_not_written_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("data", (5, 4, 6), "u2", chunks=(1, 4, 6))
        dataset[:3] = 1

    with DetectorFile(path, "data") as found:
        assert found.look() == 5
        assert found.written == [0, 1, 2]
        assert not found.sees(3)

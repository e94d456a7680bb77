"""The service that stores what people paint: nothing is lost when it is killed."""

from collections.abc import Iterator

import numpy as np
import painted_cell as cell
import pytest
from dashboard_instance import NAME, SHAPE, Instance, running_instance
from waiting import until

from lithoscope_messages import PaintRequested, SlicePainted
from lithoscope_store.answers import AnswerFiles
from lithoscope_store.painted_labels import read_painted


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with running_instance(tmp_path_factory.mktemp("labels") / "store") as made:
        made.start(sample="cell")
        made.add_scan(0, 100.0)
        yield made


def ask(instance: Instance, number: int, path: str = "") -> None:
    """Paint the pixel of this number on plane 3, as the page asks for it."""
    volume = instance.paths.volume(0, f"{0:064d}")
    request = PaintRequested(
        experiment=NAME,
        key=f"paint:{number}",
        time_ns=10 + number,
        producer="dashboard",
        person="ada",
        scan=0,
        path=path or instance.paths.relative(volume),
        axis="z",
        index=3,
        round=1,
        runs=((number, 1, 3),),
    )
    with instance.client("dashboard") as journal:
        journal.append([request])


def answered(instance: Instance) -> list[str]:
    facts = [each for each in instance.messages() if isinstance(each, SlicePainted)]
    return [str(each.request) for each in facts]


def test_what_was_asked_while_the_service_was_dead_is_stored_once(instance: Instance) -> None:
    ask(instance, 0)
    with cell.label_service(instance) as service:
        until(lambda: answered(instance) == ["paint:0"], timeout_s=60, what="the first pixel")
        service.kill()
        service.wait(10)
    ask(instance, 1)
    ask(instance, 2, path="truth/labels.zarr")
    ask(instance, 3, path="volumes/nothing.zarr")
    ask(instance, 4)

    with cell.label_service(instance):
        until(lambda: len(answered(instance)) == 3, timeout_s=60, what="the other pixels")
        state = AnswerFiles.of(instance.store, NAME, 0)
        until(lambda: bool(state.read_state().message), timeout_s=60, what="an answer")

    # What named another place was refused, and is no obstacle to what came after it.
    assert answered(instance) == ["paint:0", "paint:1", "paint:4"]
    (plane,) = read_painted(instance.paths, 0).planes
    assert np.flatnonzero(plane.classes.reshape(-1) == 3).tolist() == [0, 1, 4]
    assert (plane.classes.shape, plane.person, plane.time_ns) == (SHAPE[1:], "ada", 14)
    assert "second class" in state.read_state().message

"""Labels count as validated where their model was tried out on the cell that they show."""

import pytest
from decide_journal import SHA, begun, parts

from lithoscope_messages import Entry, ExperimentStarted, JournalMessage, LabelsReady
from lithoscope_services.history import History
from lithoscope_services.settings import DecideSettings, Settings
from lithoscope_services.stages.validated import is_validated


def labels(**changes: object) -> LabelsReady:
    fields = {
        **parts("labels:0"),
        "scan": 0,
        "work_key": SHA,
        "path": "volumes/a",
        "shape": (1, 1, 1),
        "voxel_um": 1.3,
        "sha256": SHA,
        "model": "stream-unet",
    }
    return LabelsReady.model_validate(fields | changes)


def history(first: JournalMessage) -> History:
    found = History("cell")
    found.extend([Entry(number=1, appended_ns=1, previous_hash=SHA, hash=SHA, message=first)])
    return found


def replayed(of: str) -> ExperimentStarted:
    first = begun(Settings(), source="replay")
    description = first.description.model_copy(update={"made_from": of})
    return first.model_copy(update={"description": description})


COMMISSIONED = Settings(decide=DecideSettings(commissioned_models=("stream-unet",)))


@pytest.mark.parametrize(
    ("first", "made", "expected"),
    [
        (begun(Settings()), labels(), False),
        (begun(COMMISSIONED), labels(), True),
        (begun(COMMISSIONED), labels(model="other"), False),
        (begun(Settings()), labels(validated_on=("cell",)), True),
        (begun(Settings()), labels(validated_on=("another-cell",)), False),
        (replayed("cell-7"), labels(validated_on=("cell-7",)), True),
        (begun(Settings()), labels(validated_on_simulated=True), False),
        (begun(Settings(), source="simulated"), labels(validated_on_simulated=True), True),
        (begun(Settings(), source="simulated"), labels(), False),
        (begun(COMMISSIONED), None, False),
    ],
)
def test_who_was_tried_out_where(
    first: ExperimentStarted, made: LabelsReady | None, *, expected: bool
) -> None:
    assert is_validated(history(first), made) is expected

"""Facts with the fields that the dashboard looks at; all others have plain values."""

from collections.abc import Callable
from typing import Any

import pytest

from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.read_model import fold_all
from lithoscope_messages import Entry, FactMessage, RequestMessage, adapter_of

_MESSAGES = adapter_of(FactMessage | RequestMessage)
_SHA = "0" * 64
_PLAIN: dict[str, dict[str, Any]] = {
    "ExperimentStarted": {"description": {}, "settings": {}, "format_version": 1},
    "ScanStarted": {
        "expected": [{"kind": "projection", "count": 100}],
        "frame_shape": [4, 4],
        "dtype": "uint16",
        "voxel_size_um": 2.0,
    },
    "FramesStored": {"tile": 0, "kind": "projection", "set": 0, "first": 0},
    "ScanCompleted": {
        "reason": "scan_end",
        "account": {"sets": [], "missing": 0, "completeness": 1.0},
        "frames_sha256": _SHA,
    },
    "WorkStarted": {"work_key": _SHA, "attempt": 1},
    "VolumeReady": {
        "stage": "reconstruct",
        "work_key": _SHA,
        "path": "reconstructions/a.zarr",
        "shape": [4, 5, 6],
        "voxel_um": 2.0,
        "sha256": "a" * 64,
    },
    "LabelsReady": {
        "work_key": _SHA,
        "path": "volumes/a.zarr",
        "shape": [4, 5, 6],
        "voxel_um": 2.0,
        "sha256": "b" * 64,
        "model": "thresholds",
    },
    "MetricsReady": {
        "work_key": _SHA,
        "experiment_time_s": 0.0,
        "cycle": 0,
        "half_cycle": 0,
        "completeness": 1.0,
    },
    "ScanDecided": {"verdict": "continue", "rules_evaluated": []},
    "StageFailed": {"attempts": 3},
    "ElectrochemistryAppended": {"first": 0, "count": 1},
    "ExperimentEnded": {"n_scans": 1},
    "ProposalMade": {
        "rule": "remaining_gap",
        "rule_sha256": _SHA,
        "action": "hold",
        "rule_class": "reduces_risk",
        "mode": "propose",
        "evidence": [],
        "reason": "the gap is small",
        "experiment_time_s": 0.0,
        "expires_s": 600.0,
    },
    "ApprovalRequested": {"person": "Ada"},
    "RejectionRequested": {"person": "Ada"},
    "ActionApproved": {"person": "Ada"},
    "ActionRejected": {"person": "Ada"},
    "AcknowledgeRequested": {"person": "Ada"},
    "BlindAlarm": {"rule": "remaining_gap"},
}
MakeEntries = Callable[..., list[Entry]]
MakeState = Callable[..., ExperimentState]


@pytest.fixture
def make_entries() -> MakeEntries:
    """Make a journal from (type, fields) pairs."""

    def make(*facts: tuple[str, dict[str, Any]]) -> list[Entry]:
        return [_entry(number, kind, fields) for number, (kind, fields) in enumerate(facts, 1)]

    return make


@pytest.fixture
def make_state(make_entries: MakeEntries) -> MakeState:
    """Fold a journal made from (type, fields) pairs."""

    def make(*facts: tuple[str, dict[str, Any]]) -> ExperimentState:
        return fold_all(ExperimentState(name="first"), make_entries(*facts))

    return make


def _entry(number: int, kind: str, fields: dict[str, Any]) -> Entry:
    message = _MESSAGES.validate_python(
        {
            "type": kind,
            "experiment": "first",
            "key": f"{kind}:{number}",
            "time_ns": number * 10**9,
            "producer": "test",
            **_PLAIN.get(kind, {}),
            **fields,
        }
    )
    return Entry(number=number, appended_ns=number, previous_hash=_SHA, hash=_SHA, message=message)

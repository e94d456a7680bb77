import json
import subprocess
import sys
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithoscope_messages import (
    MAX_REASONS,
    MAY_APPEND,
    OTHER,
    FrameHeader,
    GreySlice,
    JournalMessage,
    Message,
    MessageError,
    MetricsReady,
    ScanCompleted,
    ScanEnd,
    SourceMessage,
    UnknownMessageError,
    VolumeReady,
    adapter_of,
    bounded,
    decode,
    encode,
    reason_of,
    schemas,
)

HEADER = {
    "type": "FrameHeader",
    "version": 1,
    "experiment": "first",
    "scan": 3,
    "kind": "projection",
    "index": 7,
    "session": "0" * 32,
    "sequence": 11,
    "theta_deg": 12.5,
    "time_ns": 1,
    "dtype": "uint16",
    "shape": [24, 192],
    "crc32c": 123,
}


@pytest.mark.parametrize("message", schemas.all_messages(), ids=lambda m: m.__name__)
def test_committed_schema_is_that_of_the_code(message: type[Message]) -> None:
    path = schemas.FOLDER / f"{message.__name__}.json"

    assert path.read_text() == schemas.render(message), (
        "stale: run `python -m lithoscope_messages.schemas`"
    )


def test_no_schema_is_left_of_a_message_that_is_gone() -> None:
    names = {path.stem for path in schemas.FOLDER.glob("*.json")}

    assert names == {message.__name__ for message in schemas.all_messages()}


@pytest.mark.parametrize("message", schemas.all_messages(), ids=lambda m: m.__name__)
def test_every_message_says_its_type_and_version(message: type[Message]) -> None:
    assert message.model_fields["type"].default == message.__name__
    assert message.model_fields["version"].default >= 1


def test_importing_messages_pulls_in_neither_numpy_nor_zmq() -> None:
    code = (
        "import sys, lithoscope_messages;"
        "print([m for m in ('numpy', 'zmq', 'zarr', 'dash', 'lithoscope_pipeline')"
        " if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_every_fact_and_request_has_a_role_that_may_append_it() -> None:
    allowed = frozenset().union(*MAY_APPEND.values())

    assert allowed == {message.__name__ for message in get_args(JournalMessage)}


def test_golden_frame_header_of_version_1_is_still_read() -> None:
    header = decode(json.dumps(HEADER).encode(), adapter_of(SourceMessage))

    assert isinstance(header, FrameHeader)
    assert header.frame_key.index == 7
    assert header.shape == (24, 192)


SCAN_END_1 = {
    "type": "ScanEnd",
    "version": 1,
    "experiment": "first",
    "scan": 3,
    "session": "0" * 32,
    "sequence": 11,
    "time_ns": 1,
}
SCAN_COMPLETED_1 = {
    "experiment": "first",
    "key": "3",
    "time_ns": 1,
    "producer": "ingest",
    "inputs": [],
    "parameters_sha256": None,
    "algorithm_version": None,
    "hops": None,
    "scan": 3,
    "type": "ScanCompleted",
    "version": 1,
    "reason": "scan_end",
    "account": {
        "sets": [{"tile": 0, "kind": "projection", "set": 0, "expected": 4, "stored": 3}],
        "missing": 1,
        "largest_gap_deg": 90.0,
        "completeness": 0.75,
        "edge_on_coverage": None,
    },
    "frames_sha256": "0" * 64,
}


def test_golden_scan_end_of_version_1_is_lifted() -> None:
    message = decode(json.dumps(SCAN_END_1).encode(), adapter_of(SourceMessage))

    assert isinstance(message, ScanEnd)
    assert (message.version, message.rejected, message.fetched) == (2, {}, 0)


def test_golden_scan_completed_of_version_1_is_lifted_and_says_what_nobody_counted() -> None:
    message = decode(json.dumps(SCAN_COMPLETED_1).encode(), adapter_of(JournalMessage))

    assert isinstance(message, ScanCompleted)
    account = message.account
    assert (message.version, account.missing, account.turn_deg) == (2, 1, 180)
    assert (account.expected, account.stored) == (4, 3)
    assert (account.doubled, account.late, account.rejected, account.fetched) == (None,) * 4
    assert account.anomalies == {"missing": 1}


VOLUME_READY_1 = {
    "type": "VolumeReady",
    "version": 1,
    "experiment": "first",
    "key": "0" * 64,
    "time_ns": 1,
    "producer": "reconstruct",
    "scan": 3,
    "stage": "reconstruct",
    "work_key": "0" * 64,
    "path": "reconstructions/0003-00000000.zarr",
    "shape": [24, 192, 192],
    "voxel_um": 4.5,
    "sha256": "0" * 64,
    "backend": "fourier",
    "axis": {"position_px": 95.5, "confidence": 0.9, "verdict": "resolved"},
    "batch_reason": "this version reconstructs after the last projection",
    "flags": [],
}


def test_golden_volume_ready_of_version_1_is_lifted_and_knows_of_no_tiles() -> None:
    message = decode(json.dumps(VOLUME_READY_1).encode(), adapter_of(JournalMessage))

    assert isinstance(message, VolumeReady)
    assert (message.version, message.tiles, message.coverage) == (2, (), None)
    assert message.axis is not None
    assert message.axis.tilt_deg == 0.0


METRICS_READY_1 = {
    "type": "MetricsReady",
    "version": 1,
    "experiment": "cell",
    "key": "m0",
    "time_ns": 1,
    "producer": "measure",
    "scan": 0,
    "work_key": "0" * 64,
    "experiment_time_s": 0.0,
    "cycle": 0,
    "half_cycle": 0,
    "completeness": 1.0,
    "metrics": {"remaining_gap_um": {"value": 12.0, "unit": "um"}},
    "maps_path": "maps/0000-00000000.zarr",
}


def test_golden_metrics_ready_of_version_1_is_lifted_and_has_no_objects() -> None:
    message = decode(json.dumps(METRICS_READY_1).encode(), adapter_of(JournalMessage))

    assert isinstance(message, MetricsReady)
    assert (message.version, message.objects_path) == (2, None)
    assert message.metrics["remaining_gap_um"].value == 12.0


@pytest.mark.parametrize("account", [None, [], 3, {}, {"sets": 1}, {"largest_gap_deg": "x"}])
def test_a_damaged_account_of_version_1_is_refused_by_its_field(account: object) -> None:
    message = {**SCAN_COMPLETED_1, "account": account}

    with pytest.raises(MessageError, match="account"):
        decode(json.dumps(message).encode(), adapter_of(JournalMessage))


@pytest.mark.parametrize("version", [0, 3, "1", None])
def test_no_other_version_is_lifted(version: object) -> None:
    with pytest.raises(MessageError, match="version"):
        decode(json.dumps({**SCAN_END_1, "version": version}).encode(), adapter_of(SourceMessage))


def test_reasons_are_few_whatever_a_source_counts_and_none_is_lost() -> None:
    counts = {f"reason {number}": number + 1 for number in range(1000)}

    found = bounded({**counts, "a" * 1000: 10**6, "nothing": 0, " ": 7})

    assert len(found) == MAX_REASONS
    assert sum(found.values()) == sum(counts.values()) + 10**6 + 7
    assert next(iter(found)) == "a" * 40
    assert "reason 999" in found
    assert bounded(found) == found


@pytest.mark.parametrize(
    ("error", "reason"),
    [("shape: (2, 3)", "shape"), ("no field", "no field"), ("", OTHER), (": x", OTHER)],
)
def test_the_reason_of_an_error_is_the_field_that_it_names(error: str, reason: str) -> None:
    assert reason_of(error) == reason


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scan", -1),
        ("shape", [0, 192]),
        ("shape", [2, 10**9]),
        ("dtype", "object"),
        ("theta_deg", None),
        ("crc32c", 2**32),
        ("experiment", "../etc"),
        ("version", 99),
        ("unknown_field", 1),
    ],
)
def test_wrong_field_of_a_header_is_named(field: str, value: object) -> None:
    with pytest.raises(MessageError) as caught:
        decode(json.dumps({**HEADER, field: value}).encode(), adapter_of(SourceMessage))

    assert field in str(caught.value)


def test_unknown_type_is_told_apart() -> None:
    with pytest.raises(UnknownMessageError):
        decode(b'{"type": "Surprise"}', adapter_of(SourceMessage))


def decoded_or_none(data: bytes) -> Message | None:
    """Read bytes; anything but a message or a MessageError fails the test."""
    try:
        return decode(data, adapter_of(SourceMessage))
    except MessageError:
        return None


@given(st.binary(max_size=300))
def test_any_bytes_give_a_message_or_a_message_error(data: bytes) -> None:
    message = decoded_or_none(data)

    assert message is None or decode(encode(message), adapter_of(SourceMessage)) == message


@given(
    at=st.integers(0, 10**6),
    byte=st.integers(0, 255),
)
def test_a_header_with_one_changed_byte_never_crashes_the_reader(at: int, byte: int) -> None:
    data = bytearray(json.dumps(HEADER).encode())
    data[at % len(data)] = byte

    message = decoded_or_none(bytes(data))

    assert message is None or isinstance(message, FrameHeader)


def test_a_grey_slice_gives_its_pixels_back() -> None:
    grey = GreySlice.of(bytes(range(6)), (2, 3))

    assert GreySlice.model_validate_json(grey.model_dump_json()).pixels == bytes(range(6))


@pytest.mark.parametrize("text", ["AAEC", "no Base64!", "AAECAwQFBg=="])
def test_a_grey_slice_with_other_pixels_than_its_shape_has_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="pixels"):
        GreySlice(shape=(2, 3), pixels_base64=text)

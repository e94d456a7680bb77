"""The planes of our own, each with messages that are whole."""

import json
from collections.abc import Sequence
from typing import Any

from fuzzing import Target, parts_size
from mutations import parts_of

from lithoscope_messages import (
    Acknowledgement,
    ExperimentBegin,
    ExperimentDescription,
    Feed,
    FeedHead,
    FrameHeader,
    Heartbeat,
    IngestReply,
    JournalRequest,
    ListExperiments,
    MessageError,
    ReadSince,
    ReconstructionPreview,
    Refusal,
    ScanProgress,
    SourceMessage,
    adapter_of,
    decode,
    encode,
)

#: A place in a model: names and numbers with dots between; a name may be what somebody sent.
PATH = r"[^\n]{0,200}"


COMMON: dict[str, Any] = {"experiment": "e", "session": "0" * 32, "sequence": 11, "time_ns": 1}


def codec_target(name: str, union: Any, seeds: Sequence[bytes]) -> Target[list[bytes]]:
    adapter = adapter_of(union)
    return Target(
        name=name,
        decode=lambda parts: [decode(part, adapter) for part in parts],
        mutate=parts_of([[seed] for seed in seeds], "json"),
        whole=[[seed] for seed in seeds],
        size_of=parts_size,
        error=MessageError,
        fields=PATH,
        bytes_per_byte=100.0,
    )


STARTED = {
    "type": "ServiceStarted",
    "version": 1,
    "experiment": "e",
    "key": "ingest",
    "time_ns": 1,
    "producer": "ingest",
    "service": "ingest",
    "pid": 7,
    "software_version": "0.1",
}


def source_messages() -> list[bytes]:
    header = FrameHeader(
        **COMMON,
        scan=3,
        kind="projection",
        index=7,
        theta_deg=12.5,
        dtype="uint16",
        shape=(4, 6),
        crc32c=123,
    )
    begin = ExperimentBegin(**COMMON, description=ExperimentDescription(sample="cell"))
    samples = {
        "type": "ElectrochemistrySamples",
        "version": 1,
        "first": 0,
        "time_s": [0.0, 1.0],
        "potential_V": [0.1, 0.2],
        "current_mA": [1.0, 1.0],
    }
    scan_begin = {
        "type": "ScanBegin",
        "version": 1,
        "scan": 3,
        "expected": [{"kind": "projection", "set": 0, "count": 40}],
        "frame_shape": [4, 6],
        "dtype": "uint16",
        "voxel_size_um": 1.3,
        "phase": {"experiment_time_s": 1.0},
    }
    scan_end = {"type": "ScanEnd", "version": 1, "scan": 3}
    timeless = {key: value for key, value in COMMON.items() if key != "time_ns"}
    plain = [COMMON | scan_begin, COMMON | scan_end, timeless | samples]
    return [encode(header), encode(begin), *(json.dumps(each).encode() for each in plain)]


def journal_requests() -> list[bytes]:
    append = {
        "type": "AppendRequested",
        "version": 1,
        "request": "r",
        "role": "ingest",
        "messages": [STARTED],
    }
    return [
        json.dumps(append).encode(),
        encode(ReadSince(request="r", experiment="e", after=3)),
        encode(ListExperiments(request="r")),
    ]


def replies() -> list[bytes]:
    return [
        encode(
            Acknowledgement(session="0" * 32, contiguous=5, ranges=((7, 9),), credit_bytes=2**20)
        ),
        encode(Refusal(session="0" * 32, sequence=7, reason="no")),
    ]


def feed() -> list[bytes]:
    entry = {
        "number": 4,
        "appended_ns": 1,
        "previous_hash": "0" * 64,
        "hash": "1" * 64,
        "message": STARTED,
    }
    news = {"type": "FeedEntry", "version": 2, "experiment": "e", "entry": entry}
    return [encode(FeedHead(experiment="e", head=4)), json.dumps(news).encode()]


def telemetry() -> list[bytes]:
    beat = {"type": "Heartbeat", "version": 1, "service": "ingest", "pid": 7, "time_ns": 1}
    progress = {
        "type": "ScanProgress",
        "version": 1,
        "experiment": "e",
        "scan": 3,
        "time_ns": 1,
        "stored": 5,
        "expected": 40,
        "credit_bytes": 2**20,
    }
    grey = {"shape": [2, 3], "pixels_base64": "AAECAwQF"}
    preview = {
        "type": "ReconstructionPreview",
        "version": 1,
        "experiment": "e",
        "scan": 3,
        "time_ns": 1,
        "views_used": 5,
        "views_expected": 40,
        "binning": 2,
        "voxel_um": 10.0,
        "axis_px": 30.5,
        "axis_source": "found",
        "low_per_cm": -1.0,
        "high_per_cm": 5.0,
        "z_slice": grey,
        "y_slice": grey,
        "x_slice": grey,
    }
    return [json.dumps(each).encode() for each in (beat | {"state": "ready"}, progress, preview)]


def codec_targets() -> list[Target[list[bytes]]]:
    return [
        codec_target("frames plane", SourceMessage, source_messages()),
        codec_target("journal requests", JournalRequest, journal_requests()),
        codec_target("answers of ingest", IngestReply, replies()),
        codec_target("journal feed", Feed, feed()),
        codec_target("telemetry", Heartbeat | ScanProgress | ReconstructionPreview, telemetry()),
    ]

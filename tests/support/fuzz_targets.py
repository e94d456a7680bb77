"""All decoders that take bytes or values of others, each with what it is given."""

import json
import random
import struct
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from dectris_sender import (
    GOLDEN_IMAGE,
    GOLDEN_LZ4,
    end,
    image,
    pack_bslz4,
    pack_lz4,
    start,
)
from foreign import Sent, areadetector, gigafrost
from fuzz_codec_targets import codec_targets
from fuzzing import Target, parts_size
from mutations import TREES, altered, damaged, parts_of

from lithoscope_services.errors import SourceError
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sources.array_1_0 import decode_array
from lithoscope_services.sources.bluesky import decode_document
from lithoscope_services.sources.dectris import (
    ImageMessage,
    SeriesTracker,
    StartMessage,
    decode_message,
)
from lithoscope_services.sources.pva.decoder import decode_ndarray
from lithoscope_services.sources.tap import RecordingHeader, RecordingReader, RecordingWriter

FRAME = Sent(0, 2, 0, 1)
PIXELS = np.random.default_rng(3).integers(0, 50, (24, 31)).astype("<u2")
ARRAY_FIELDS = (
    "parts|header|htype|shape|type|encoding|pixels|endianness|frame|scan_index|image_attributes"
)
DECTRIS_FIELDS = (
    "cbor|type|series_id|series_unique_id|image_id|data|compression|late|goniometer|user_data"
)
PVA_FIELDS = "value|codec|compression|dimension|uniqueId|attribute|ColorMode"
RECORDING_FIELDS = "magic|version|header|pattern|source|parts|length|crc32c"


def array_target() -> Target[list[bytes]]:
    plain = {"htype": "array-1.0", "shape": [4, 6], "type": "uint16", "frame": 41}
    data = FRAME.pixels.tobytes()
    seeds = [
        [json.dumps(plain).encode(), data],
        [json.dumps(plain | {"endianness": "big", "encoding": ""}).encode(), data],
        gigafrost(FRAME),
        areadetector(FRAME, 12, theta_deg=4.5),
    ]
    return Target(
        name="array-1.0",
        decode=decode_array,
        mutate=parts_of(seeds, "json"),
        whole=seeds,
        size_of=parts_size,
        error=SourceError,
        fields=ARRAY_FIELDS,
    )


def dectris_target() -> Target[list[bytes]]:
    settings = SourceSettings(
        kind="dectris", address="ipc:///nobody", numbers="per_scan", n_projections=40
    )
    begun = decode_message(start(3))
    messages = [image(3, 7, PIXELS, packed) for packed in ("", "lz4", "bslz4")]
    messages += [start(3), end(3), GOLDEN_IMAGE, GOLDEN_LZ4]

    def take(parts: list[bytes]) -> object:
        if not parts:
            raise SourceError("parts: none came")
        tracker = SeriesTracker(settings)
        if isinstance(begun, StartMessage):
            tracker.begin(begun)
        match decode_message(parts[0]):
            case StartMessage() as message:
                tracker.begin(message)
                return message
            case ImageMessage() as message:
                return tracker.frame(message)
            case message:
                return tracker.end(message)

    return Target(
        name="dectris",
        decode=take,
        mutate=parts_of([[each] for each in messages], "cbor"),
        whole=[[each] for each in messages],
        size_of=parts_size,
        error=SourceError,
        fields=DECTRIS_FIELDS + "|parts",
    )


def bluesky_target(encoding: str) -> Target[list[bytes]]:
    uid = "5a6b1c2d-0000-4000-8000-0123456789ab"
    documents: list[tuple[str, dict[str, Any]]] = [  # as bluesky writes them
        ("start", {"uid": uid, "time": 1.5, "scan_id": 3, "plan_name": "scan", "hints": {}}),
        ("stop", {"uid": uid + "1", "time": 2.5, "run_start": uid, "exit_status": "success"}),
        (
            "stream_datum",
            {
                "uid": f"{uid}/0",
                "descriptor": uid,
                "stream_resource": uid,
                "seq_nums": {"start": 1, "stop": 5},
                "indices": {"start": 0, "stop": 4},
            },
        ),
        (
            "stream_resource",
            {
                "uid": uid,
                "run_start": uid,
                "data_key": "det",
                "mimetype": "application/x-hdf5",
                "uri": "file://localhost/data/scan.h5",
                "parameters": {"dataset": "/entry/data/data", "chunk_shape": [1, 4, 6]},
            },
        ),
        (
            "event",
            {
                "uid": uid,
                "time": 1.0,
                "descriptor": uid,
                "seq_num": 1,
                "data": {"theta": 4.5},
                "timestamps": {"theta": 1.0},
                "filled": {},
            },
        ),
    ]
    dumps = TREES[encoding][1]
    packed = [b" ".join([b"", name.encode(), dumps(body)]) for name, body in documents]

    def mutate(noise: random.Random) -> list[bytes]:
        if noise.random() < 0.5:
            name, body = noise.choice(documents)
            return [b" ".join([b"", name.encode(), dumps(altered(body, noise))])]
        return [damaged(noise.choice(packed), noise, packed)]

    return Target(
        name=f"bluesky documents, {encoding}",
        decode=lambda parts: decode_document(
            parts[0], documents="json" if encoding == "json" else "msgpack"
        ),
        mutate=mutate,
        whole=[[each] for each in packed],
        size_of=parts_size,
        error=SourceError,
        fields=r"[^\n:]{1,200}",
        bytes_per_byte=200.0,
    )


def pva_target() -> Target[dict[str, Any]]:
    fields: dict[str, Any] = {  # as p4p gives it
        "value": PIXELS.ravel(),
        "codec": {"name": "", "parameters": None},
        "compressedSize": PIXELS.nbytes,
        "uncompressedSize": PIXELS.nbytes,
        "uniqueId": 7,
        "dataTimeStamp": {"secondsPastEpoch": 1_795_251_605, "nanoseconds": 5, "userTag": 0},
        "timeStamp": {"secondsPastEpoch": 1_795_251_605, "nanoseconds": 7, "userTag": 0},
        "dimension": [
            {"size": 31, "offset": 0, "fullSize": 31, "binning": 1, "reverse": False},
            {"size": 24, "offset": 0, "fullSize": 24, "binning": 1, "reverse": False},
        ],
        "attribute": [
            {"name": "ColorMode", "value": 0},
            {"name": "SaveDest", "value": "/exchange/data"},
            {"name": "SampleRotary", "value": 4.5},
        ],
    }
    raw = PIXELS.tobytes()
    packed = {
        "lz4": pack_lz4(raw)[16:],
        "bslz4": pack_bslz4(raw, 2),
    }
    seeds = [fields] + [
        fields
        | {
            "value": np.frombuffer(data, np.uint8),
            "codec": {"name": name, "parameters": 6},
            "compressedSize": len(data),
        }
        for name, data in packed.items()
    ]

    def mutate(noise: random.Random) -> dict[str, Any]:
        seed = noise.choice(seeds)
        if seed["codec"]["name"] and noise.random() < 0.5:
            data = damaged(seed["value"].tobytes(), noise, list(packed.values()))
            return seed | {"value": np.frombuffer(data, np.uint8)}
        found = altered(seed, noise)
        return found if isinstance(found, dict) else {"value": found}

    return Target(
        name="NTNDArray",
        decode=decode_ndarray,
        mutate=mutate,
        whole=seeds,
        size_of=lambda found: int(getattr(found.get("value"), "nbytes", 0)),
        error=SourceError,
        fields=PVA_FIELDS,
    )


def recording_target(folder: Path) -> Target[bytes]:
    path = folder / "fuzzed.tap"
    header = RecordingHeader(source="tcp://dcu:31001", pattern="pull", begun_ns=17)
    with RecordingWriter(path, header) as writer:
        for number in range(5):
            writer.write([b"head %d" % number, bytes(40)], 10**18 + number)
    seed = path.read_bytes()

    def mutate(noise: random.Random) -> bytes:
        found = damaged(seed, noise, [seed])
        if noise.random() < 0.3 and len(found) > 200:
            # A message whose checksum is right: what is behind it is looked at too.
            rest = struct.pack("<IQQ", noise.choice((0, 1, 65, 2**32 - 1)), 1, 4) + b"data"
            found = seed[:-100] + struct.pack("<I", google_crc32c.value(rest)) + rest
        return found

    def read(data: bytes) -> int:
        path.write_bytes(data)
        with RecordingReader(path) as reader:
            return sum(len(message.parts) for message in reader.messages())

    return Target(
        name="recording of tap",
        decode=read,
        mutate=mutate,
        whole=[seed],
        size_of=len,
        error=SourceError,
        fields=RECORDING_FIELDS,
    )


def byte_targets() -> list[Target[list[bytes]]]:
    return [
        array_target(),
        dectris_target(),
        bluesky_target("json"),
        bluesky_target("msgpack"),
        *codec_targets(),
    ]

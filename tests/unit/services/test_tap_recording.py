"""A recording keeps messages as they came, survives a kill, and says what is damaged."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import google_crc32c
import pytest

from lithoscope_services.errors import SourceError
from lithoscope_services.sources.tap import (
    RecordedMessage,
    RecordingHeader,
    RecordingReader,
    RecordingWriter,
    parts_of,
)

HEADER = RecordingHeader(source="tcp://dcu:31001", pattern="pull", begun_ns=17)
MESSAGES = [
    RecordedMessage(received_ns=10**18 + n, parts=(b"header %d" % n, bytes(range(n)) * 7, b""))
    for n in range(9)
]


def write(path: Path, *, max_bytes: int | None = None) -> None:
    with RecordingWriter(path, HEADER, max_bytes=max_bytes) as writer:
        for message in MESSAGES:
            writer.write(message.parts, message.received_ns)
            writer.sync_if_due()


def read(path: Path) -> tuple[list[RecordedMessage], int]:
    with RecordingReader(path) as reader:
        return list(reader.messages()), reader.n_torn_bytes


def test_messages_come_back_as_they_were(tmp_path: Path) -> None:
    write(tmp_path / "a.tap")

    with RecordingReader(tmp_path / "a.tap") as reader:
        assert reader.header == HEADER
        assert list(reader.messages()) == MESSAGES
    assert reader.n_torn_bytes == 0


def test_the_file_is_what_its_description_says(tmp_path: Path) -> None:
    """A recording of one message, put together by hand."""
    about = b'{"source":"ipc:///x","pattern":"sub","begun_ns":1}'
    rest = struct.pack("<IQQQ", 2, 99, 3, 1) + b"abcd"
    data = b"LITHOTAP" + struct.pack("<HHI", 1, 0, len(about)) + about
    (tmp_path / "a.tap").write_bytes(data + struct.pack("<I", google_crc32c.value(rest)) + rest)

    assert read(tmp_path / "a.tap") == (
        [RecordedMessage(received_ns=99, parts=(b"abc", b"d"))],
        0,
    )


def test_a_torn_end_is_cut_wherever_it_was_torn(tmp_path: Path) -> None:
    path = tmp_path / "a.tap"
    write(path)
    whole = path.read_bytes()
    last = whole.rindex(b"header 8") - 4 - 12 - 3 * 8

    for n_bytes in range(last, len(whole)):
        path.write_bytes(whole[:n_bytes])

        found, n_torn_bytes = read(path)

        assert found == MESSAGES[:-1]
        assert n_torn_bytes == n_bytes - last


def test_zeros_that_a_power_cut_left_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.tap"
    write(path)
    with path.open("ab") as file:
        file.write(bytes(3 * 2**20))

    assert read(path) == (MESSAGES, 3 * 2**20)


def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    write(tmp_path / "a.tap")

    with pytest.raises(FileExistsError):
        write(tmp_path / "a.tap")
    assert read(tmp_path / "a.tap")[0] == MESSAGES


def test_a_long_recording_is_several_files(tmp_path: Path) -> None:
    path = tmp_path / "a.tap"
    write(path, max_bytes=200)

    files = parts_of(path)

    assert [file.name for file in files[:3]] == ["a.tap", "a.tap.001", "a.tap.002"]
    assert [each for file in files for each in read(file)[0]] == MESSAGES


def with_about(**about: object) -> Callable[[bytes], bytes]:
    text = json.dumps(about).encode()
    return lambda data: b"LITHOTAP" + struct.pack("<HHI", 1, 0, len(text)) + text


FIRST = 16 + len(json.dumps({"source": HEADER.source, "pattern": "pull", "begun_ns": 17}))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: b"", "magic"),
        (lambda data: b"x" + data, "magic"),
        (lambda data: data[:8] + b"\x02\x00" + data[10:], "version: 2 came"),
        (lambda data: data[:12] + b"\xff" * 4 + data[16:], "header: 4294967295 bytes"),
        (lambda data: data[:16] + b"[" * 5 + data[21:], "header: cannot be read"),
        (with_about(source="x"), "header: cannot be read"),
        (with_about(source=1, pattern="pull", begun_ns=1), "source"),
        (with_about(source="x", pattern="push", begun_ns=1), "pattern: 'push'"),
        (lambda data: data[: FIRST + 4] + b"\x00" * 4 + data[FIRST + 8 :], "parts: 0"),
        (lambda data: data[: FIRST + 4] + b"\xff" * 4 + data[FIRST + 8 :], "parts: 4294967295"),
        (lambda data: data[: FIRST + 16] + b"\xff" * 8 + data[FIRST + 24 :], "length: 1844674"),
        (lambda data: data.replace(b"header 3", b"HEADER 3"), "crc32c: of message 3 at byte"),
    ],
)
def test_what_is_damaged_is_named(
    tmp_path: Path, change: Callable[[bytes], bytes], reason: str
) -> None:
    path = tmp_path / "a.tap"
    write(path)
    path.write_bytes(change(path.read_bytes()))

    with pytest.raises(SourceError, match=f"^{reason}"):
        read(path)


def test_a_damaged_length_allocates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.tap"
    write(path)
    data = bytearray(path.read_bytes())
    data[FIRST + 16 : FIRST + 24] = struct.pack("<Q", 2**28)
    path.write_bytes(data)

    assert read(path) == ([], len(data) - FIRST)

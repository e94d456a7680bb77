"""Damaged messages of others: no crash, no hang, no growth of memory, and a reason with a field.

2 000 a decoder, 100 000 with ``--soak``, which also writes ``benchmarks/results/fuzz.md``.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fuzz_targets import byte_targets, pva_target, recording_target
from fuzzing import Outcome, Target, fuzz, watching_time

from lithoscope_services.sources.tap import RecordingReader

SEED = 20261121
_ALL: list[Target[Any]] = [*byte_targets(), pva_target()]  # each takes its own kind of message
TARGETS = {target.name: target for target in _ALL}
NAMES = [*TARGETS, "recording of tap"]
#: What the allocator keeps of a run, and of what pytest notes; nothing a message.
MAX_GROWN_BYTES = 24 * 2**20


@pytest.fixture(scope="module")
def outcomes(is_soak: bool) -> Iterator[dict[str, Outcome]]:
    found: dict[str, Outcome] = {}
    yield found
    if is_soak and set(found) == set(NAMES):
        from benchmarks.fuzz_table import write_table

        write_table([found[name] for name in NAMES], seed=SEED)


@pytest.mark.parametrize("name", NAMES)
def test_damaged_messages_are_taken_or_refused_by_a_field(
    name: str, is_soak: bool, outcomes: dict[str, Outcome], tmp_path: Path
) -> None:
    target = TARGETS.get(name) or recording_target(tmp_path)

    with watching_time():
        found = fuzz(target, n=100_000 if is_soak else 2_000, seed=SEED)

    outcomes[name] = found
    assert found.n_refused + found.n_taken == found.n_messages
    assert found.n_refused > found.n_messages // 20
    assert len(found.reasons) > 2
    assert found.grown_bytes < MAX_GROWN_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_whole_messages_are_taken(name: str, tmp_path: Path) -> None:
    """What is damaged above would be taken without the damage."""
    target = TARGETS.get(name) or recording_target(tmp_path)
    refused: list[str] = []

    for message in target.whole:
        try:
            target.decode(message)
        except target.error as error:
            refused.append(str(error))

    assert target.whole
    assert refused == []


def test_a_recording_is_closed_when_its_header_is_refused(tmp_path: Path) -> None:
    """Or each refusal would keep a file open; pytest makes a warning of that an error."""
    path = tmp_path / "x.tap"
    path.write_bytes(b"LITHOTAP")
    for _ in range(3):
        with pytest.raises(ValueError, match="magic"):
            RecordingReader(path)

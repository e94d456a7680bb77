"""A cycler's record attached to sealed experiments: charge at each scan, once and for all."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from lithoscope_messages import (
    ExperimentDescription,
    ExperimentEnded,
    ExperimentStarted,
    JournalMessage,
    ScanPhase,
    ScanStarted,
)
from lithoscope_services.cli.app import make_app
from lithoscope_services.electrochemistry.attach import AttachOptions, attach_files
from lithoscope_services.electrochemistry.errors import AttachError
from lithoscope_services.history import History
from lithoscope_services.settings import Settings
from lithoscope_store import (
    ExperimentPaths,
    JournalDatabase,
    LockedError,
    Store,
    experiment_lock,
    read_electrochemistry,
    read_journal,
    verify_experiment,
    write_manifest,
)

NAME = "cell-1"
BEGIN_NS = 1_700_000_000 * 10**9
#: Pulses of ten minutes, 0.75 mA, the current turned after the third; a scan in each rest.
N_SCANS, INTERVAL_S, TURN = 6, 1800.0, 3
PULSE_MAH = 0.75 / 6
CHARGES_MAH = PULSE_MAH * np.array([0, 1, 2, 3, 2, 1])
CYCLER_BEGINS_S = 777.25


def bare_experiment(root: Path, *, is_sealed: bool = True, counts: bool = True) -> ExperimentPaths:
    """An experiment whose scans are told, and nothing else."""
    paths = Store(root).experiment(NAME)
    paths.create()
    with JournalDatabase(paths.journal, NAME) as journal:
        journal.append(_facts(is_sealed, counts))
        if is_sealed:
            journal.seal()
    if is_sealed:
        write_manifest(paths)
    return paths


def _facts(is_sealed: bool, counts: bool) -> list[JournalMessage]:
    common: dict[str, Any] = {"experiment": NAME, "time_ns": BEGIN_NS, "producer": "ingest"}
    facts: list[JournalMessage] = [
        ExperimentStarted(
            **common,
            key=NAME,
            description=ExperimentDescription(n_scans=N_SCANS),
            settings=Settings().model_dump(mode="json"),
            format_version=1,
        )
    ]
    for scan in range(N_SCANS):
        phase = ScanPhase(
            experiment_time_s=INTERVAL_S * scan,
            half_cycle=int(scan > TURN) if counts else 0,
            pulse=scan if counts else 0,
        )
        facts.append(
            ScanStarted(
                **common | {"time_ns": BEGIN_NS + round(INTERVAL_S * scan * (1 if counts else 0))},
                key=str(scan),
                scan=scan,
                expected=(),
                frame_shape=(4, 4),
                dtype="uint16",
                voxel_size_um=1.0,
                phase=phase,
            )
        )
    if is_sealed:
        facts.append(ExperimentEnded(**common, key=NAME, n_scans=N_SCANS))
    return facts


def write_cycler(path: Path, *, until: int = N_SCANS, marker: bool = False) -> Path:
    """What the cycler wrote, by its own clock: decimal commas and semicolons."""
    time_s = np.arange(CYCLER_BEGINS_S, INTERVAL_S * (until - 0.5), 5.0)
    current = np.zeros_like(time_s)
    for pulse in range(N_SCANS - 1):
        begin_s = INTERVAL_S * pulse + 1000.0
        sign = 1 if pulse < TURN else -1
        # Readings carry the current of the step that ends at them: 120 steps make ten minutes.
        current[(time_s > begin_s) & (time_s <= begin_s + 600.0)] = 0.75 * sign
    if marker:
        current[(time_s > 800.0) & (time_s <= 820.0)] = 0.75
    rows = [
        f"{t - CYCLER_BEGINS_S:.2f};3.4;{i / 1000:.6f}"
        for t, i in zip(time_s, current, strict=True)
    ]
    text = "\n".join(["Zeit/s;Ewe/V;Strom/A", *rows]).replace(".", ",")
    path.write_text(text, encoding="cp1252")
    return path


def attach(paths: ExperimentPaths, files: Sequence[Path], **more: float) -> list[float | None]:
    """Attach files; give the charge at each scan."""
    attach_files(AttachOptions(store=paths.root.parent, experiment=NAME, files=files, **more))
    history = History(NAME)
    history.extend(read_journal(paths.journal))
    return [history.charge_mAh_at(INTERVAL_S * scan) for scan in range(N_SCANS)]


@pytest.mark.parametrize("is_sealed", [True, False])
def test_each_scan_gets_its_charge_though_the_clocks_differ(
    tmp_path: Path, is_sealed: bool
) -> None:
    paths = bare_experiment(tmp_path / "store", is_sealed=is_sealed)

    charges = attach(paths, [write_cycler(tmp_path / "cell.txt")])

    np.testing.assert_allclose(np.array(charges, float), CHARGES_MAH, atol=1e-3 * PULSE_MAH)
    assert verify_experiment(paths).is_whole


def test_the_same_file_again_changes_nothing(tmp_path: Path) -> None:
    paths = bare_experiment(tmp_path / "store")
    file = write_cycler(tmp_path / "cell.txt")
    attach(paths, [file])
    before = {path: path.read_bytes() for path in paths.root.rglob("*") if path.is_file()}

    attach(paths, [file])

    after = {path: path.read_bytes() for path in paths.root.rglob("*") if path.is_file()}
    assert after.keys() == before.keys()
    assert all(after[path] == before[path] for path in before if path != paths.lock)


def test_a_longer_export_adds_what_is_new(tmp_path: Path) -> None:
    paths = bare_experiment(tmp_path / "store")
    early = write_cycler(tmp_path / "early.txt", until=4)
    attach(paths, [early], clock_offset_s=CYCLER_BEGINS_S)
    n_before = read_electrochemistry(paths).n_samples

    charges = attach(paths, [write_cycler(tmp_path / "all.txt")])

    stored = read_electrochemistry(paths)
    assert stored.n_samples > n_before
    assert (np.diff(stored.time_s[2:]) > 4.0).all()
    np.testing.assert_allclose(np.array(charges, float), CHARGES_MAH, atol=1e-2 * PULSE_MAH)
    assert verify_experiment(paths).is_whole


def test_a_marker_tells_the_clock_where_scans_count_no_pulses(tmp_path: Path) -> None:
    paths = bare_experiment(tmp_path / "store", counts=False)
    file = write_cycler(tmp_path / "cell.txt", marker=True)

    with pytest.raises(AttachError, match="--clock-offset-s"):
        attach(paths, [file])
    charges = attach(paths, [file], marker_at_s=802.25)

    marker_mah = 0.75 * 20 / 3600
    expected = CHARGES_MAH + np.where(np.arange(N_SCANS) > 0, marker_mah, 0.0)
    np.testing.assert_allclose(np.array(charges, float), expected, atol=1e-3 * PULSE_MAH)


def test_what_a_crash_left_between_samples_and_journal_is_made_whole(tmp_path: Path) -> None:
    paths = bare_experiment(tmp_path / "store")
    file = write_cycler(tmp_path / "cell.txt")
    other = bare_experiment(tmp_path / "other")
    attach(other, [file])
    # The samples came to the disk, their facts did not.
    other.electrochemistry.rename(paths.electrochemistry)

    charges = attach(paths, [file])

    np.testing.assert_allclose(np.array(charges, float), CHARGES_MAH, atol=1e-3 * PULSE_MAH)
    assert verify_experiment(paths).is_whole


def test_an_experiment_that_somebody_writes_is_left_alone(tmp_path: Path) -> None:
    paths = bare_experiment(tmp_path / "store", is_sealed=False)

    with experiment_lock(paths), pytest.raises(LockedError):
        attach(paths, [write_cycler(tmp_path / "cell.txt")])


def test_the_command_says_clock_and_what_to_do_next(tmp_path: Path) -> None:
    bare_experiment(tmp_path / "store")
    file = write_cycler(tmp_path / "cell.txt")
    words = ["attach", NAME, str(file), "--store", str(tmp_path / "store")]

    first = CliRunner().invoke(make_app(), words)
    again = CliRunner().invoke(make_app(), [*words, "--json"])

    assert first.exit_code == again.exit_code == 0
    assert f"lithoscope reprocess {NAME} --as NEW_NAME --stages measure:decide" in first.output
    assert "clock:" in first.output
    assert json.loads(again.output)["n_samples"] == 0


def test_a_record_of_another_cell_is_refused(tmp_path: Path) -> None:
    paths = bare_experiment(tmp_path / "store")
    path = tmp_path / "other.csv"
    rows = "".join(f"{t},3.4,{0.1 if t % 700 < 600 else 0}\n" for t in range(0, 20_000, 10))
    path.write_text(f"time_s,potential_V,current_mA\n{rows}")

    with pytest.raises(AttachError, match="fit"):
        attach(paths, [path])
    assert not paths.electrochemistry.exists()

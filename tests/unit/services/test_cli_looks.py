"""``report``, ``status`` and ``doctor`` on stores that are at rest."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lithoscope_messages import MetricsReady, MetricValue
from lithoscope_store.journal_database import JournalDatabase
from lithoscope_store.layout import Store

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with one experiment of one scan."""
    root = tmp_path / "store"
    paths = Store(root).experiment("cell-7")
    paths.create()
    fact = MetricsReady(
        experiment="cell-7",
        key="metrics-0",
        time_ns=1,
        producer="measure",
        scan=0,
        work_key="0" * 64,
        experiment_time_s=0.0,
        charge_mAh=0.0,
        cycle=0,
        half_cycle=0,
        completeness=1.0,
        metrics={"remaining_gap_um": MetricValue(value=281.5, unit="um")},
    )
    with JournalDatabase(paths.journal, "cell-7") as journal:
        journal.append([fact])
    return root


def test_a_report_as_json_is_alone_on_standard_output(run: Run, store: Path) -> None:
    code, out, err = run("report", "cell-7", "--store", str(store), "--json")

    assert (code, err) == (0, "")
    report = json.loads(out)
    assert report["experiment"] == "cell-7"
    assert report["scans"][0]["metrics"]["remaining_gap_um"]["value"] == 281.5


def test_a_report_as_csv_has_a_heading(run: Run, store: Path) -> None:
    code, out, _ = run("report", "cell-7", "--store", str(store), "--csv")

    assert code == 0
    assert out.splitlines()[0].startswith("scan,time_s,")
    assert "remaining_gap_um,281.5,um" in out


def test_a_report_for_people_shows_the_gap(run: Run, store: Path) -> None:
    code, out, _ = run("report", "cell-7", "--store", str(store))

    assert code == 0
    assert "281.5" in out


def test_a_report_for_people_fits_a_narrow_terminal(
    run: Run, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    _, out, _ = run("report", "cell-7", "--store", str(store))

    assert "…" not in out
    assert "verdict" in out


def test_two_formats_at_once_are_wrong_usage(run: Run, store: Path) -> None:
    code, out, _ = run("report", "cell-7", "--store", str(store), "--csv", "--json")

    assert (code, out) == (2, "")


def test_a_report_on_an_unknown_experiment_names_those_that_are_there(
    run: Run, store: Path
) -> None:
    code, out, err = run("report", "cell-8", "--store", str(store), "--json")

    assert (code, out) == (1, "")
    assert err.startswith("lithoscope: error: no experiment 'cell-8'")
    assert "cell-7" in err
    assert err.count("\n") == 1


def test_a_report_on_a_name_with_slashes_is_refused(run: Run, store: Path) -> None:
    code, _, err = run("report", "../cell-7", "--store", str(store))

    assert code == 1
    assert "'../cell-7' cannot name an experiment" in err


def test_a_store_of_a_newer_version_is_refused(run: Run, store: Path) -> None:
    (store / "cell-7" / "format.json").write_text('{"format_version": 99}')

    code, _, err = run("report", "cell-7", "--store", str(store))

    assert code == 1
    assert "format_version 99" in err
    assert "install a newer lithoscope" in err


def test_status_without_an_instance_says_how_to_start_one(run: Run, store: Path) -> None:
    code, out, err = run("status", "--store", str(store), "--json")

    assert (code, out) == (1, "")
    assert err.startswith(f"lithoscope: error: no instance runs on {store}")
    assert "lithoscope up" in err


def test_doctor_as_json_is_alone_on_standard_output(run: Run, tmp_path: Path) -> None:
    _, out, err = run("doctor", "--store", str(tmp_path), "--json")

    checks = {check["name"]: check for check in json.loads(out)["checks"]}
    assert err == ""
    assert {"Python", "processors", "GPU", "disk", "flush", "journal"} <= set(checks)
    assert set(checks["disk"]) == {"name", "state", "found", "advice"}


def test_doctor_ends_with_one_when_something_must_be_mended(run: Run, tmp_path: Path) -> None:
    settings = tmp_path / "strict.toml"
    settings.write_text("[ingest]\nmin_free_fraction = 0.999999\n")

    code, out, _ = run("doctor", "--store", str(tmp_path), "--config", str(settings))

    assert code == 1
    assert "problem" in out

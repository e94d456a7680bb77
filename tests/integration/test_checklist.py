"""A test scan of a simulated cell, taken through the whole chain, as a checklist."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_experiment import make_one_scan
from stored_cell import shared_cell

from lithoscope_pipeline.setup_checks import find_cell_layers
from lithoscope_services.checklist import Checklist, CheckRow, checklist_page, make_checklist
from lithoscope_services.checklist.frame_rows import frame_rows
from lithoscope_services.cli import main
from lithoscope_services.history import History
from lithoscope_services.settings import Settings, replace_values
from lithoscope_services.stages.stored_volume import StoredVolume
from lithoscope_store import Store, read_journal

#: Distance of the outer faces by the thicknesses that the cell is made of.
KNOWN_UM = 112.0 + 280.0 + 107.7
#: This experiment was written at one instant, so that its verdicts came late by the clock.
PATIENT = {"plan.verdict_timeout_s": 1e12}
NAMES = {
    "frames",
    "tiles",
    "angles",
    "flats and darks",
    "counts edge-on",
    "truncation",
    "rotation axis",
    "rings",
    "grey polarity",
    "pixel size",
    "alignment",
    "contrast to noise",
    "model",
    "sign of current",
    "sides",
    "clock",
    "time",
    "disk",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return shared_cell(tmp_path_factory)


@pytest.fixture(scope="module")
def sound(store: Store) -> Checklist:
    settings = replace_values(
        Settings(), PATIENT | {"experiment.stack_thickness_um": KNOWN_UM, "experiment.n_scans": 25}
    )
    return make_checklist(store, "cell", 0, settings)


def rows(checklist: Checklist) -> dict[str, CheckRow]:
    return {row.name: row for row in checklist.rows}


def test_a_sound_scan_answers_every_question_and_nothing_is_to_be_mended(
    sound: Checklist,
) -> None:
    found = rows(sound)

    assert set(found) == NAMES
    assert [row.name for row in sound.rows if row.state == "problem"] == []
    assert found["pixel size"].state == found["grey polarity"].state == "ok"
    assert found["truncation"].state == "note"


def test_photons_and_flats_are_those_of_the_simulated_detector(sound: Checklist) -> None:
    found = rows(sound)

    # 0.95e6 photons a pixel in the open beam; 84 % of them come through this cell edge-on.
    assert found["counts edge-on"].numbers["photons"] == pytest.approx(0.95e6 * 0.84, rel=0.1)
    assert found["flats and darks"].numbers["dark_counts"] == pytest.approx(100, abs=3)


def test_a_model_that_was_not_tried_out_is_said(sound: Checklist) -> None:
    assert "unvalidated_model" in rows(sound)["model"].found


def test_a_pixel_that_is_off_by_two_is_a_problem(store: Store) -> None:
    settings = replace_values(
        Settings(), PATIENT | {"experiment.stack_thickness_um": KNOWN_UM / 2}
    )

    row = rows(make_checklist(store, "cell", 0, settings))["pixel size"]

    assert row.state == "problem"
    assert row.numbers["fitting_voxel_um"] == pytest.approx(2.25, rel=0.05)


def test_a_volume_with_inverted_greys_is_told(store: Store) -> None:
    paths = store.experiment("cell")
    history = History("cell")
    history.extend(read_journal(paths.journal))
    volume = history.scans[0].volume
    assert volume is not None
    voxels = StoredVolume(paths.resolve(volume.path))[slice(None), slice(None), slice(None)]

    layers = find_cell_layers(-voxels, volume.voxel_um)

    assert layers.planes_px is None
    assert layers.inverted_planes_px is not None


def test_angles_in_radians_are_a_problem_before_anything_is_reconstructed(
    tmp_path: Path,
) -> None:
    thetas = np.deg2rad(np.arange(60) * 3.0)
    views = [np.full((4, 16), 900, np.uint16)] * 60
    flat, dark = (np.full((4, 16), counts, np.uint16) for counts in (1000, 10))
    paths = make_one_scan(Store(tmp_path), "radians", views, thetas, flat=flat, dark=dark)

    found = {row.name: row for row in frame_rows(paths, 0, 90.0, 1)}

    assert found["angles"].state == "problem"
    assert "radians" in found["angles"].found


def test_the_page_is_one_file_with_what_to_mend_first(sound: Checklist) -> None:
    late = CheckRow(name="<time>", state="problem", found="too late", advice="a GPU")

    text = checklist_page(replace(sound, rows=(*sound.rows, late)))

    assert text.index("&lt;time&gt;") < text.index("rotation axis")
    assert text.count("data:image/png;base64,") == 2
    assert "http" not in text.replace("http-equiv", "")


def test_the_command_ends_with_1_if_something_must_be_mended(
    store: Store,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = tmp_path / "cell.toml"
    config.write_text(
        "[experiment]\nstack_thickness_um = 250.0\n[plan]\nverdict_timeout_s = 1e12\n"
    )
    run: Callable[[], None] = main
    page = tmp_path / "page.html"
    words = ["test-scan", "cell", "--scan", "0", "--json", "--html", str(page)]
    options = ["--store", str(store.root), "--config", str(config)]
    monkeypatch.setattr("sys.argv", ["lithoscope", *words, *options])

    with pytest.raises(SystemExit) as ended:
        run()

    document = json.loads(capsys.readouterr().out)
    assert ended.value.code == 1
    assert document["n_problems"] == 1
    assert page.read_text().startswith("<!doctype html>")

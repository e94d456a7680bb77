"""``lithoscope new``: what is asked, presets, and which answer is the stronger one."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from lithoscope_services.errors import SourceError
from lithoscope_services.listen import parse_place
from lithoscope_services.settings import Settings, replace_values
from lithoscope_services.setup import (
    SETUP_VALUES,
    Answers,
    load_preset,
    preset_names,
    put_together,
)

Run = Callable[..., tuple[int, str, str]]
COUNTS = {"source.n_projections": 100, "source.n_flats": 5, "source.n_darks": 5}
REST = {
    "scan.voxel_size_um": 1.33,
    "source.address": "tcp://host:1",
    "source.channel": "A:B",
    "source.folder": "/data",
}


def test_every_value_of_the_set_up_is_an_option_with_a_help(run: Run) -> None:
    _, out, _ = run("new", "--help")

    assert [value.name for value in SETUP_VALUES if f"--{value.name}" not in out] == []
    assert [value.name for value in SETUP_VALUES if not value.help] == []


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_makes_valid_settings_once_its_questions_are_answered(name: str) -> None:
    preset = load_preset(name)

    settings = replace_values(Settings(), {**REST, **COUNTS, **preset.values})

    assert settings.source.kind == preset.values["source.kind"]
    assert preset.title
    assert preset.notes


def test_presets_are_listed(run: Run) -> None:
    code, out, _ = run("new", "--preset", "?")

    assert code == 0
    assert "aps-2bm-tomoscan" in out


def test_an_unknown_preset_names_those_that_are_known(run: Run) -> None:
    code, _, err = run("new", "cell-7", "--preset", "aps")

    assert code == 1
    assert "aps-2bm-tomoscan" in err


def test_a_person_is_stronger_than_the_stream_and_that_than_the_preset() -> None:
    settings = put_together(
        Answers(
            preset={"scan.energy_keV": 1.0, "scan.voxel_size_um": 1.0, "experiment.n_scans": 1},
            heard={"scan.energy_keV": 2.0, "scan.voxel_size_um": 2.0},
            given={"scan.energy_keV": 3.0, "experiment.sample": None},
        )
    )

    assert settings.scan.energy_keV == 3.0
    assert settings.scan.voxel_size_um == 2.0
    assert settings.experiment.n_scans == 1


def test_low_plating_side_turns_the_cell_over() -> None:
    settings = put_together(
        Answers(given={"experiment.edge_on_deg": 100.0}, first_plating_side="low")
    )

    assert settings.experiment.edge_on_deg == 280.0


def test_a_stationary_side_that_cannot_be_taken_is_refused() -> None:
    with pytest.raises(SourceError, match="stripping side"):
        put_together(Answers(stationary_side="plating"))


def test_all_values_reach_the_file(run: Run, tmp_path: Path) -> None:
    record = tmp_path / "marker.csv"
    currents = [0.1 if 30 <= second < 40 else 0.0 for second in range(100)]
    lines = [f"{second},3.0,{current}" for second, current in enumerate(currents)]
    record.write_text("\n".join(["time_s,potential_V,current_mA", *lines]))
    file = tmp_path / "cell.toml"

    code, _, err = run(
        *("new", "cell-7", "--stack-um", "500", "--edge-on-deg", "80", "--current-sign", "-1"),
        *("--tiles", "3", "--deadline-s", "900", "--distance-mm", "60", "--energy-kev", "27.5"),
        *("--marker", str(record), "--marker-at-s", "42.5", "--out", str(file)),
    )

    assert code == 0, err
    found = tomllib.loads(file.read_text())
    assert found["experiment"]["stack_thickness_um"] == 500.0
    assert found["experiment"]["first_current_sign"] == -1
    assert found["experiment"]["clock_offset_s"] == 12.5
    assert (found["scan"]["n_tiles"], found["plan"]["verdict_timeout_s"]) == (3, 900.0)


@pytest.mark.parametrize(
    ("text", "kind", "host"),
    [
        ("tcp://dcu:31001", "zmq", ""),
        ("pva://13SIM1:Pva1:Image", "pva", ""),
        ("pva://ioc/13SIM1:Pva1:Image", "pva", "ioc"),
        ("pva://127.0.0.1:5075/T:Image", "pva", "127.0.0.1:5075"),
    ],
)
def test_places_are_read(text: str, kind: str, host: str) -> None:
    place = parse_place(text)

    assert (place.kind, place.host) == (kind, host)


@pytest.mark.parametrize("text", ["tcp://0.0.0.0:1", "http://x", "no/such/file.h5", "pva://"])
def test_what_is_no_place_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(SourceError):
        parse_place(text)

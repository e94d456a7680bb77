import socket
from pathlib import Path

from lithoscope_services.doctor import Check, examine, file_system_of
from lithoscope_services.settings import Settings, replace_values


def check_named(name: str, store: Path, settings: Settings) -> Check:
    return next(check for check in examine(store, settings) if check.name == name)


def test_a_store_that_does_not_exist_yet_is_not_made(tmp_path: Path) -> None:
    examine(tmp_path / "store", Settings())

    assert list(tmp_path.iterdir()) == []


def test_everything_that_is_not_well_has_advice(tmp_path: Path) -> None:
    checks = examine(tmp_path, Settings())

    assert [c.name for c in checks if c.state in ("warning", "problem") and not c.advice] == []


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = replace_values(Settings(), {"dashboard.port": taken.getsockname()[1]})

        check = check_named("page", tmp_path, settings)

    assert check.state == "warning"
    assert "is taken" in check.found


def test_any_free_port_will_do(tmp_path: Path) -> None:
    settings = replace_values(Settings(), {"dashboard.port": 0})

    assert check_named("page", tmp_path, settings).state == "ok"


def test_a_disk_that_is_too_full_is_a_problem(tmp_path: Path) -> None:
    settings = replace_values(Settings(), {"ingest.min_free_fraction": 0.999999})

    assert check_named("disk", tmp_path, settings).state == "problem"


def test_the_file_system_of_a_path_is_that_of_the_deepest_mount() -> None:
    assert file_system_of(Path("/proc/self")) == "proc"


def test_each_engine_says_whether_it_works_here(tmp_path: Path) -> None:
    checks = {check.name: check for check in examine(tmp_path, Settings())}

    engines = [name for name in checks if name.startswith("engine ")]
    assert len(engines) == 5
    assert checks["network"].found.startswith("stream-unet ")
    assert checks["engine onnxruntime"].state == "ok"
    assert all(checks[name].found for name in engines)


def test_an_engine_that_is_set_and_does_not_work_is_a_problem(tmp_path: Path) -> None:
    settings = replace_values(Settings(), {"segment.engine": "torch", "segment.model": "/nowhere"})

    assert check_named("network", tmp_path, settings).state == "problem"

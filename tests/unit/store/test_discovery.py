import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lithoscope_store.discovery import (
    MAX_IPC_PATH_BYTES,
    InstanceFile,
    find_instance,
    find_instances,
    ipc_endpoint,
    remove_instance,
    runtime_directory,
    write_instance,
)
from lithoscope_store.errors import StoreError, UnsafePathError
from lithoscope_store.layout import Store


def instance(**changes: object) -> InstanceFile:
    known = {"id": "a1", "version": "0.1.0", "runtime_dir": "/run/x"}
    return InstanceFile.model_validate(known | changes)


def test_a_running_instance_is_found(tmp_path: Path) -> None:
    store = Store(tmp_path)
    announced = instance(endpoints={"journal": "ipc:///run/x/journal"}, dashboard_url="http://x")

    path = write_instance(store, announced)

    assert find_instance(store) == announced
    assert path.stat().st_mode & 0o777 == 0o600
    assert store.experiments() == []


def test_an_instance_that_ended_well_is_not_found(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_instance(store, instance())

    remove_instance(store, "a1")
    remove_instance(store, "a1")

    assert find_instance(store) is None


def test_an_instance_that_was_killed_is_not_found(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = psutil.Process(process.pid).create_time()
        write_instance(store, instance(pid=process.pid, start_time_s=started))
        assert find_instance(store) is not None
        process.kill()

    assert find_instance(store) is None


def test_another_process_with_the_same_number_is_not_taken_for_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_instance(store, instance(start_time_s=psutil.Process().create_time() - 100))

    assert find_instance(store) is None


def test_an_instance_of_another_machine_is_not_found(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_instance(store, instance(host="elsewhere"))

    assert find_instance(store) is None


def test_a_damaged_file_hides_no_other_instance(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_instance(store, instance())
    (store.instances / "b.json").write_text("{")

    assert [one.id for one in find_instances(store)] == ["a1"]


def test_a_store_without_instances_has_none(tmp_path: Path) -> None:
    assert find_instance(Store(tmp_path / "none")) is None


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path leaves room for the names of sockets."""
    with tempfile.TemporaryDirectory(dir="/tmp") as path:
        yield Path(path)


def test_the_runtime_directory_is_for_its_user_alone(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_path))

    path = runtime_directory("a1")

    assert path == short_path / "lithoscope" / "a1"
    assert path.stat().st_mode & 0o777 == 0o700
    assert runtime_directory("a1") == path


def test_a_long_runtime_directory_falls_back_to_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("x" * 100)))
    short = Path(tempfile.mkdtemp(dir="/tmp"))
    monkeypatch.setattr(tempfile, "tempdir", str(short))

    path = runtime_directory("a1")

    assert path == short / f"lithoscope-{os.getuid()}" / "a1"


def test_a_runtime_directory_open_to_others_is_refused(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_path))
    (short_path / "lithoscope").mkdir()
    (short_path / "lithoscope").chmod(0o777)

    with pytest.raises(UnsafePathError, match="mode 0700"):
        runtime_directory("a1")


def test_an_address_that_is_too_long_is_refused() -> None:
    folder = Path("/run") / ("x" * 80)

    assert ipc_endpoint(folder, "journal") == f"ipc://{folder}/journal"
    with pytest.raises(StoreError, match=f"at most {MAX_IPC_PATH_BYTES} bytes"):
        ipc_endpoint(folder, "x" * 30)

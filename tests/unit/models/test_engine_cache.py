"""Engines that were built here are found again; anything else is built anew."""

import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest
from packaged_model import packaged

from lithoscope_models.engines.cache import EngineCache
from lithoscope_models.engines.gpu import Gpu
from lithoscope_models.engines.tensorrt_engine import engine_key
from lithoscope_models.errors import EngineUnavailableError

KEY = {"onnx": "ab", "profile": (1, 2, 3)}


class Builder:
    """Counts what it builds and what it loads."""

    def __init__(self, data: bytes = b"engine") -> None:
        self.data, self.built = data, 0

    def build(self) -> bytes:
        self.built += 1
        return self.data

    @staticmethod
    def load(data: bytes) -> str | None:
        return data.decode() if data.startswith(b"engine") else None


def test_an_engine_is_built_once(tmp_path: Path) -> None:
    builder = Builder()

    for _ in range(3):
        cache = EngineCache(tmp_path / "engines")
        assert cache.load_or_build(KEY, build=builder.build, load=builder.load) == "engine"
    assert builder.built == 1


def test_the_folder_and_its_files_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "engines"
    folder.mkdir(mode=0o755)
    builder = Builder()
    cache = EngineCache(folder)

    cache.load_or_build(KEY, build=builder.build, load=builder.load)

    assert folder.stat().st_mode & 0o777 == 0o700
    assert cache.path(KEY).stat().st_mode & 0o777 == 0o600


def test_an_engine_that_does_not_load_is_built_anew(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    old, new = Builder(b"engine of an old driver"), Builder(b"engine of today")
    cache.load_or_build(KEY, build=old.build, load=old.load)

    def load(data: bytes) -> str | None:
        return None if b"old" in data else data.decode()

    assert cache.load_or_build(KEY, build=new.build, load=load) == "engine of today"
    assert new.built == 1


@pytest.mark.parametrize("damage", ["flipped", "cut", "foreign", "link"])
def test_what_was_not_built_here_is_never_loaded(tmp_path: Path, damage: str) -> None:
    cache, builder = EngineCache(tmp_path / "here"), Builder()
    cache.load_or_build(KEY, build=builder.build, load=builder.load)
    path = cache.path(KEY)
    data = path.read_bytes()
    other = EngineCache(tmp_path / "there")
    Builder(b"engine of theirs")
    other.load_or_build(KEY, build=lambda: b"engine of theirs", load=Builder.load)
    if damage == "flipped":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif damage == "cut":
        path.write_bytes(data[:5])
    elif damage == "foreign":
        path.write_bytes(other.path(KEY).read_bytes())
    else:
        path.unlink()
        path.symlink_to(other.path(KEY))
    seen: list[bytes] = []

    def load(given: bytes) -> str | None:
        seen.append(given)
        return Builder.load(given)

    assert cache.load_or_build(KEY, build=builder.build, load=load) == "engine"
    assert builder.built == 2
    assert seen == [b"engine"]


def test_an_engine_that_never_loads_is_an_error_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError, match="cannot be loaded here"):
        EngineCache(tmp_path).load_or_build(KEY, build=lambda: b"nothing", load=Builder.load)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away; run as root")
def test_the_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)

    with pytest.raises(EngineUnavailableError, match="no folder of this user"):
        EngineCache(tmp_path)


def _build_beside(folder: Path) -> None:
    with (folder / "built").open("a") as log:
        cache = EngineCache(folder / "engines")

        def build() -> bytes:
            log.write("x")
            log.flush()
            return b"engine"

        cache.load_or_build(KEY, build=build, load=Builder.load)


def test_several_processes_build_one_engine(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_build_beside, args=(tmp_path,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)

    assert [worker.exitcode for worker in workers] == [0] * 4
    assert (tmp_path / "built").read_text() == "x"


def test_the_key_holds_all_that_an_engine_depends_on(tmp_path: Path) -> None:
    model, cache = packaged(), EngineCache(tmp_path)
    gpu = Gpu(name="NVIDIA A", driver="580.1", capability=(9, 0))
    usual: dict[str, Any] = {"gpu": gpu, "library": "tensorrt 11.4", "precision": "float16"}
    changes: tuple[dict[str, Any], ...] = (
        {},
        {"gpu": Gpu(name="NVIDIA B", driver="580.1", capability=(9, 0))},
        {"gpu": Gpu(name="NVIDIA A", driver="580.2", capability=(9, 0))},
        {"gpu": Gpu(name="NVIDIA A", driver="580.1", capability=(8, 6))},
        {"library": "tensorrt 11.5"},
        {"precision": "float32"},
    )
    paths = {
        cache.path(engine_key(model, (8, 20, 64, 64), **usual | change)) for change in changes
    }
    paths.add(cache.path(engine_key(model, (16, 20, 64, 64), **usual)))

    assert len(paths) == len(changes) + 1

"""Small scans in files, made for each test."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lithoscope_services.cli import main

N_ANGLES, N_ROWS, N_COLUMNS = 12, 3, 8


def scan_arrays() -> dict[str, Any]:  # arrays by their name in the file
    rng = np.random.default_rng(5)
    shape = (N_ANGLES, N_ROWS, N_COLUMNS)
    return {
        "exchange/data": rng.integers(500, 900, shape).astype(np.uint16),
        "exchange/data_white": np.full((2, N_ROWS, N_COLUMNS), 1000, np.uint16),
        "exchange/data_dark": np.full((1, N_ROWS, N_COLUMNS), 100, np.uint16),
        "exchange/theta": np.arange(N_ANGLES) * 15.0,
    }


@pytest.fixture
def write_scan(tmp_path: Path) -> Callable[..., Path]:
    """Write a DXchange file; keywords replace (or, if None, leave out) a data set."""

    def write(changes: dict[str, Any] | None = None, name: str = "scan.h5") -> Path:
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            for key, value in (scan_arrays() | (changes or {})).items():
                if value is not None:
                    file[key] = value
        return path

    return write


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Run a command line in this process; gives exit code, standard output and standard error."""
    monkeypatch.delenv("LITHOSCOPE_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def run_command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["lithoscope", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run_command

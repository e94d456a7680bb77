"""What jobs lay down for each other while an experiment is worked on."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithoscope_store import ExperimentPaths
from lithoscope_store.durable import make_directory, write_atomic

_SAID = "said"
Arrays = Mapping[str, NDArray[Any]]


def jobs_folder(paths: ExperimentPaths) -> Path:
    """Where jobs and answers lie while the experiment is worked on."""
    return paths.root / ".jobs"


def scratch_folder(paths: ExperimentPaths, work_key: str) -> Path:
    """Where the parts of a task lay what is too large for an answer, until the task is done."""
    return jobs_folder(paths) / work_key[:16]


def write_arrays(folder: Path, name: str, arrays: Arrays, said: Mapping[str, Any]) -> None:
    """Lay arrays down, with some JSON beside them; all or nothing is seen there."""
    make_directory(folder)
    text = np.frombuffer(json.dumps(said).encode(), np.uint8)
    held = io.BytesIO()
    np.savez(held, allow_pickle=False, **{**arrays, _SAID: text})
    write_atomic(folder / f"{name}.npz", held.getbuffer())


def read_arrays(folder: Path, name: str) -> tuple[Arrays, Mapping[str, Any]]:
    """Read what was laid down."""
    with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
        arrays = {each: file[each] for each in file.files}
    return arrays, json.loads(arrays.pop(_SAID).tobytes())

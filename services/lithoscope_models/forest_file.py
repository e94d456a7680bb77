"""A forest as a file: safetensors, which holds numbers and nothing that could be run."""

import json
from pathlib import Path
from typing import Final

import numpy as np

from lithoscope_models.errors import ModelRefusedError
from lithoscope_pipeline.errors import PipelineError
from lithoscope_pipeline.scribbles import Forest

_KIND: Final = "lithoscope-forest-1"
#: Number of dimensions and dtype of each array.
_ARRAYS: Final = {
    "classes": (1, "uint8"),
    "roots": (1, "int32"),
    "feature": (1, "int32"),
    "threshold": (1, "float64"),
    "below": (1, "int32"),
    "above": (1, "int32"),
    "shares": (2, "float32"),
}


def write_forest(path: Path, forest: Forest) -> None:
    """Write a forest; equal forests give equal bytes."""
    from safetensors.numpy import save_file

    arrays = {name: np.ascontiguousarray(getattr(forest, name)) for name in _ARRAYS}
    told = {"kind": _KIND, "sigmas_px": json.dumps(list(forest.sigmas_px))}
    save_file(arrays, path, metadata=told)


def read_forest(path: Path) -> Forest:
    """Read a forest from anybody: applying it ends and reads nothing but its own arrays.

    Raises
    ------
    ModelRefusedError
        If the file is no forest.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            told = file.metadata() or {}
            if told.get("kind") != _KIND or set(file.keys()) != set(_ARRAYS):
                raise ValueError("it holds something else")
            arrays = {name: file.get_tensor(name) for name in _ARRAYS}
        for name, (n_dimensions, dtype) in _ARRAYS.items():
            if arrays[name].ndim != n_dimensions or arrays[name].dtype != dtype:
                raise ValueError(f"{name} is {arrays[name].dtype} {arrays[name].shape}")
        sigmas_px = tuple(float(each) for each in json.loads(told["sigmas_px"]))
        forest = Forest(sigmas_px=sigmas_px, **arrays)
        forest.check()
    except (SafetensorError, ValueError, KeyError, TypeError, PipelineError) as error:
        raise ModelRefusedError(
            f"{path}: no forest ({error}); train one with lithoscope model forest"
        ) from error
    return forest

from pathlib import Path

import pytest

from lithoscope_store.layout import ExperimentPaths, Store


@pytest.fixture
def paths(tmp_path: Path) -> ExperimentPaths:
    experiment = Store(tmp_path / "store").experiment("cell-1")
    experiment.create()
    return experiment

"""The notebooks of the documentation run from top to bottom on a tiny experiment."""

import json
from pathlib import Path

import pytest
from stored_cell import shared_cell

nbformat = pytest.importorskip("nbformat", reason="needs the extra dev")
nbclient = pytest.importorskip("nbclient", reason="needs the extra dev")
pytest.importorskip("pandas", reason="needs the extra notebook")
pytest.importorskip("xarray", reason="needs the extra notebook")
pytest.importorskip("matplotlib", reason="needs the extra notebook")

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cell(tmp_path_factory).experiment("cell").root


def test_there_are_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == [
        "figure-3",
        "first-experiment",
        "train-on-your-labels",
    ]


@pytest.mark.system
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
# ipykernel asks for a policy of event loops that Python 3.14 deprecates:
# ipython/ipykernel issue 1396
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_notebook_runs_and_draws(
    path: Path, experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if path.stem == "train-on-your-labels":
        pytest.importorskip("lightning", reason="pip install 'lithoscope[train]' runs this")
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path))
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", ()):
            cell.source = f"EXPERIMENT = {str(experiment)!r}\nSTEPS = 6"

    place = {"metadata": {"path": tmp_path}}
    nbclient.NotebookClient(notebook, timeout=120, resources=place).execute()

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_names_no_place_of_its_author(path: Path) -> None:
    text = json.dumps(json.loads(path.read_text()))

    assert str(Path.cwd()) not in text
    assert "/home/" not in text

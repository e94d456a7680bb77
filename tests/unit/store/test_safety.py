import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from lithoscope_store.errors import NotStoredError, UnsafeArrayError, UnsafePathError
from lithoscope_store.safety import check_array, check_tree, open_array

VERSION_2: dict[str, Any] = {
    "zarr_format": 2,
    "shape": [4],
    "chunks": [2],
    "dtype": "<u2",
    "compressor": None,
    "fill_value": 0,
    "filters": None,
    "order": "C",
}


def version_2(path: Path, **changes: Any) -> Path:
    path.mkdir(exist_ok=True)
    (path / ".zarray").write_text(json.dumps(VERSION_2 | changes))
    return path


def version_3(path: Path, **changes: Any) -> Path:
    zarr.create_array(path, shape=(4,), chunks=(2,), dtype="uint16")[:] = np.arange(4)
    metadata = json.loads((path / "zarr.json").read_text())
    (path / "zarr.json").write_text(json.dumps(metadata | changes))
    return path


def test_plain_arrays_of_both_versions_are_opened(tmp_path: Path) -> None:
    three = open_array(version_3(tmp_path / "3"))
    two = open_array(version_2(tmp_path / "2"))

    assert np.asarray(three[:]).tolist() == [0, 1, 2, 3]
    assert np.asarray(two[:]).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"filters": [{"id": "pickle"}]}, "codec 'pickle'"),
        ({"compressor": {"id": "pickle"}}, "codec 'pickle'"),
        ({"filters": {"id": "pickle"}}, "no list of filters"),
        ({"filters": ["pickle"]}, "codec 'pickle'"),
        ({"filters": [["pickle"]]}, "codec"),
        ({"dtype": "|O"}, "data type"),
        ({"dtype": [["a", "<u2"]]}, "data type"),
        ({"dtype": "nonsense"}, "data type"),
        ({"shape": [-1]}, "has shape"),
        ({"chunks": [2**40]}, "over"),
        ({"chunks": [1, 1]}, "has shape"),
    ],
)
def test_dangerous_metadata_of_version_2_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UnsafeArrayError, match=message):
        open_array(version_2(tmp_path / "a", **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codecs": [{"name": "pickle"}]}, "codec 'pickle'"),
        ({"codecs": ["numcodecs.pickle"]}, "codec 'numcodecs.pickle'"),
        ({"codecs": None}, "no list of codecs"),
        ({"codecs": [{"name": "sharding_indexed"}]}, "without a description"),
        (
            {
                "codecs": [
                    {
                        "name": "sharding_indexed",
                        "configuration": {
                            "codecs": [{"name": "bytes"}],
                            "index_codecs": [{"name": "vlen-utf8"}],
                        },
                    }
                ]
            },
            "codec 'vlen-utf8'",
        ),
        ({"data_type": "string"}, "data type"),
        ({"data_type": {"name": "struct"}}, "data type"),
        ({"storage_transformers": [{"name": "x"}]}, "storage transformers"),
        ({"chunk_grid": {"name": "rectilinear"}}, "regular grid"),
        ({"chunk_grid": None}, "regular grid"),
        ({"shape": "4"}, "has shape"),
        ({"shape": [True]}, "has shape"),
    ],
)
def test_dangerous_metadata_of_version_3_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UnsafeArrayError, match=message):
        open_array(version_3(tmp_path / "a", **changes))


def test_text_instead_of_metadata_is_refused(tmp_path: Path) -> None:
    path = version_3(tmp_path / "a")
    (path / "zarr.json").write_text("[" * 100_000)

    with pytest.raises(UnsafeArrayError, match="is no JSON"):
        check_array(path)


def test_a_list_instead_of_metadata_is_refused(tmp_path: Path) -> None:
    path = version_3(tmp_path / "a")
    (path / "zarr.json").write_text("[]")

    with pytest.raises(UnsafeArrayError, match="holds no metadata"):
        check_array(path)


@pytest.mark.parametrize("place", ["zarr.json", "c/1", "."])
def test_a_symlink_anywhere_is_refused(tmp_path: Path, place: str) -> None:
    path = version_3(tmp_path / "a")
    target = (path / place).rename(tmp_path / "elsewhere") if place != "." else path
    link = path / place if place != "." else tmp_path / "link"
    link.symlink_to(target)

    with pytest.raises(UnsafePathError, match="is a symlink"):
        open_array(link if place == "." else path)


def test_a_group_is_no_array(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "g")

    with pytest.raises(NotStoredError, match="there is no array"):
        check_array(tmp_path / "g")
    with pytest.raises(NotStoredError, match="there is no array"):
        check_array(tmp_path / "none")


def test_a_tree_is_refused_for_its_worst_array(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "g")
    version_3(tmp_path / "g" / "good")
    check_tree(tmp_path / "g")
    version_2(tmp_path / "g" / "bad", filters=[{"id": "pickle"}])

    with pytest.raises(UnsafeArrayError, match="codec 'pickle'"):
        check_tree(tmp_path / "g")

"""The one writer of Apache Parquet."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lithoscope_services.keep.errors import KeepError
from lithoscope_services.keep.partial import whole_file

Columns = Mapping[str, Sequence[Any]]  # of any type that a column may have


def write_parquet(
    path: Path, columns: Columns, types: Mapping[str, str] = MappingProxyType({})
) -> Path:
    """Write columns as a table; the file is there when it is whole.

    Parameters
    ----------
    path
        The file; its folder is made.
    columns
        Name to values, all equally long.
    types
        Name to type, as pyarrow names it, of columns that may be empty or all null.

    Raises
    ------
    KeepError
        If the package that writes Parquet is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise KeepError(
            "Parquet needs the package pyarrow; install it with `pip install lithoscope[tables]`"
        ) from error
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial:
        arrays = {
            name: pyarrow.array(values, type=_type(pyarrow, types.get(name)))
            for name, values in columns.items()
        }
        parquet.write_table(pyarrow.table(arrays), partial)
    return path


def _type(pyarrow: Any, name: str | None) -> Any:  # pyarrow has no types of its own
    if name is None:
        return None
    if name == "texts":
        return pyarrow.list_(pyarrow.string())
    return pyarrow.type_for_alias(name)

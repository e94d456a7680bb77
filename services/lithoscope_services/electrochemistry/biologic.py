"""BioLogic's binary files (.mpr), read by galvani."""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from lithoscope_services.electrochemistry.record import (
    Column,
    CyclerRecord,
    current_from_charge,
)
from lithoscope_services.errors import SourceError

_POTENTIALS = ("Ewe/V", "<Ewe>/V", "Ewe-Ece/V", "Ecell/V")
_CURRENTS = ("I/mA", "<I>/mA")
_EXPORT = "export it from EC-Lab as text (.mpt), which needs nothing more"


def read_mpr(path: Path) -> CyclerRecord:
    """Read a file of EC-Lab.

    Techniques that write no current have a charge, of which it is the slope.

    Raises
    ------
    SourceError
        If galvani is not installed, or cannot read the file, or if it has no cycling in it.
    """
    try:
        from galvani import BioLogic
    except ImportError as error:
        raise SourceError(
            f"{path}: reading .mpr needs galvani; pip install 'lithoscope[echem]', or {_EXPORT}"
        ) from error
    try:
        with path.open("rb") as stream:
            file = BioLogic.MPRfile(stream)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error}; check the path") from error
    except (ValueError, KeyError, IndexError, AssertionError, NotImplementedError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SourceError(f"{path}: galvani cannot read it ({text}); {_EXPORT}") from error
    data = file.data
    names = data.dtype.names or ()
    potential = next((name for name in _POTENTIALS if name in names), None)
    if "time/s" not in names or potential is None:
        raise SourceError(
            f"{path}: no cycling in it, but {', '.join(names[:8])}; give the file of the "
            "galvanostatic technique"
        )
    time_s = _column(data, "time/s")
    current, notes = _current(path, data, names, time_s)
    if time_s.size < 2 or (np.diff(time_s) < 0).any():
        raise SourceError(f"{path}: {time_s.size} readings whose time must rise; {_EXPORT}")
    return CyclerRecord(
        time_s=time_s,
        potential_V=_column(data, potential),
        current_mA=current,
        start_unix_s=_start_unix_s(file),
        notes=notes,
    )


def _current(
    path: Path, data: Any, names: tuple[str, ...], time_s: Column
) -> tuple[Column, tuple[str, ...]]:
    for name in _CURRENTS:
        if name in names:
            return _column(data, name), ()
    note = ("the current was taken from the charge, of which it is the slope",)
    if "(Q-Qo)/mA.h" in names:
        return current_from_charge(time_s, _column(data, "(Q-Qo)/mA.h")), note
    for name in ("dq/mA.h", "dQ/mA.h"):
        if name in names:
            return current_from_charge(time_s, np.cumsum(_column(data, name))), note
    raise SourceError(f"{path}: neither current nor charge in it; {_EXPORT} with I/mA")


def _column(data: Any, name: str) -> Column:  # galvani's array of records
    return np.ascontiguousarray(data[name], np.float64)


def _start_unix_s(file: Any) -> float | None:
    """Give when the technique began; EC-Lab writes local time, that of this machine is taken."""
    stamp = getattr(file, "timestamp", None)
    return stamp.timestamp() if isinstance(stamp, datetime) else None

"""What the cycler measured: four columns that grow, numbered from the start of the experiment.

The number of samples stands in the attributes of the group and is written last: what is not
counted there was never acknowledged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lithoscope_store.durable import make_directory, sweep_partial_files, write_atomic
from lithoscope_store.errors import CorruptDataError, ElectrochemistryError
from lithoscope_store.layout import ExperimentPaths
from lithoscope_store.safety import open_array
from lithoscope_store.shards import encode_chunk
from lithoscope_store.zarr_metadata import (
    METADATA_FILE,
    ArrayLayout,
    ceiling_multiple,
    chunk_path,
    create_array,
    create_group,
    read_attributes,
)

_COLUMNS = {"time_s": "s", "potential_V": "V", "current_mA": "mA", "charge_mAh": "mAh"}
_CHUNK = 4096
_SECONDS_PER_HOUR = 3600.0
Column = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Electrochemistry:
    """Samples of the cycler; ``charge_mAh`` is signed and 0 at the first sample."""

    time_s: Column
    potential_V: Column  # noqa: N815 - the unit is V
    current_mA: Column  # noqa: N815 - the unit is mA
    charge_mAh: Column  # noqa: N815 - the unit is mAh

    @property
    def n_samples(self) -> int:
        """How many there are."""
        return len(self.time_s)

    def charge_at(self, time_s: float) -> float | None:
        """Signed charge at a time, mAh; between samples on a line, outside as at the end.

        None if there are no samples.
        """
        if not self.n_samples:
            return None
        return float(np.interp(time_s, self.time_s, self.charge_mAh))


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplesAdded:
    """What an append has added; ``time_s`` and ``charge_mAh`` are those of the last sample."""

    first: int
    count: int
    time_s: float
    charge_mAh: float  # noqa: N815 - the unit is mAh


class ElectrochemistryWriter:
    """Adds samples of the cycler to an experiment."""

    def __init__(self, paths: ExperimentPaths) -> None:
        self._path = paths.electrochemistry
        stored = read_electrochemistry(paths)
        self._columns = [getattr(stored, name) for name in _COLUMNS]

    @property
    def n_samples(self) -> int:
        """Samples on disk: the number that the next one has."""
        return len(self._columns[0])

    def append(
        self,
        first: int,
        time_s: Sequence[float] | Column,
        potential_V: Sequence[float] | Column,  # noqa: N803 - the unit is V
        current_mA: Sequence[float] | Column,  # noqa: N803 - the unit is mA
    ) -> SamplesAdded | None:
        """Add samples; they are on the disk when this returns.

        Parameters
        ----------
        first
            Number of the first sample; samples that are on disk already are left out.
        time_s, potential_V, current_mA
            Columns of equal length; the time must not fall.

        Returns
        -------
        SamplesAdded or None
            None if all of them were on disk.

        Raises
        ------
        ElectrochemistryError
            If samples before these are missing, or if the columns are not as said above.
        StoreFullError
            If there is no space left; samples before these stand.
        """
        new = self._check(first, time_s, potential_V, current_mA)
        count = new.shape[1]
        if not count:
            return None
        begin = self.n_samples
        charge = self._charge(new[0], new[2])
        grown = [
            np.concatenate([old, added])
            for old, added in zip(self._columns, [*new, charge], strict=True)
        ]
        self._write(grown, begin)
        self._columns = grown
        return SamplesAdded(
            first=begin, count=count, time_s=float(new[0][-1]), charge_mAh=float(charge[-1])
        )

    def _check(self, first: int, *columns: ArrayLike) -> NDArray[np.float64]:
        arrays = [np.asarray(column, np.float64) for column in columns]
        if len({array.shape for array in arrays}) != 1 or arrays[0].ndim != 1:
            raise ElectrochemistryError(
                f"columns of {[array.shape for array in arrays]} samples from {first} on; they "
                "must be equally long"
            )
        if first > self.n_samples:
            raise ElectrochemistryError(
                f"samples {self.n_samples} to {first - 1} are missing; send them first"
            )
        new = np.stack(arrays)[:, max(self.n_samples - first, 0) :]
        if not np.isfinite(new).all():
            raise ElectrochemistryError(f"a sample after {self.n_samples} is no number; mend it")
        before = self._columns[0][-1:]
        if (np.diff(np.concatenate([before, new[0]])) < 0).any():
            raise ElectrochemistryError(
                f"the time falls after sample {self.n_samples}; check the clock of the cycler"
            )
        return new

    def _charge(self, new_time: Column, new_current: Column) -> Column:
        """Trapezoids, summed one after another: how samples were parcelled does not matter."""
        before = [one[-1:] for one in self._columns]
        if not self.n_samples:  # the first sample follows itself
            before = [new_time[:1], np.empty(0), new_current[:1], np.zeros(1)]
        time, current = np.append(before[0], new_time), np.append(before[2], new_current)
        steps = np.diff(time) * (current[1:] + current[:-1]) / 2 / _SECONDS_PER_HOUR
        charge: Column = np.cumsum(np.append(before[3], steps))[1:]
        return charge

    def _write(self, columns: list[Column], begin: int) -> None:
        n_samples = len(columns[0])
        capacity = ceiling_multiple(n_samples, _CHUNK)
        has_room = begin and ceiling_multiple(begin, _CHUNK) == capacity
        for (name, unit), column in zip(_COLUMNS.items(), columns, strict=True):
            layout = ArrayLayout(
                shape=(capacity,),
                dtype=np.dtype(np.float64),
                chunk=(_CHUNK,),
                attributes={"unit": unit},
            )
            array = self._path / name
            if not has_room:
                create_array(array, layout)
            make_directory(array / "c")
            sweep_partial_files(array / "c")
            for i in range(begin // _CHUNK, capacity // _CHUNK):
                part = column[i * _CHUNK : (i + 1) * _CHUNK]
                chunk = np.pad(part, (0, _CHUNK - len(part)), constant_values=np.nan)
                write_atomic(chunk_path(array, (i,), "/"), encode_chunk(chunk, layout))
        create_group(self._path, {"lithoscope": {"n_samples": n_samples}})


def read_electrochemistry(paths: ExperimentPaths) -> Electrochemistry:
    """Read all samples of an experiment; none if it has none.

    Raises
    ------
    CorruptDataError
        If a checksum does not fit; the text names the column.
    """
    path = paths.electrochemistry
    if not (path / METADATA_FILE).is_file():
        empty = np.empty(0)
        return Electrochemistry(
            time_s=empty, potential_V=empty, current_mA=empty, charge_mAh=empty
        )
    n_samples = int(read_attributes(path)["lithoscope"]["n_samples"])
    time_s, potential_V, current_mA, charge_mAh = (  # noqa: N806 - the units
        _read_column(path / name, n_samples) for name in _COLUMNS
    )
    return Electrochemistry(
        time_s=time_s, potential_V=potential_V, current_mA=current_mA, charge_mAh=charge_mAh
    )


def _read_column(path: Path, n_samples: int) -> Column:
    try:
        column = np.asarray(open_array(path)[:n_samples], np.float64)
    except (ValueError, RuntimeError) as error:
        raise CorruptDataError(f"{path} is damaged ({error}); restore a copy") from error
    if len(column) != n_samples or not np.isfinite(column).all():
        raise CorruptDataError(f"{path} lacks some of its {n_samples} samples; restore a copy")
    return column

"""An experiment of the store as an object: numbers as tables, volumes as lazy arrays."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lithoscope.errors import MissingExtraError, NotThereError
from lithoscope.scan import Scan
from lithoscope_messages import Entry
from lithoscope_services.history import History
from lithoscope_services.reading import read_entries
from lithoscope_services.report import JsonObject, make_report
from lithoscope_store import (
    Electrochemistry,
    ExperimentPaths,
    Store,
    StoreFormatError,
    read_electrochemistry,
)

if TYPE_CHECKING:
    import pandas as pd

_OF_SCAN = ("time_s", "charge_mAh", "cycle", "half_cycle", "completeness")
_OF_METRIC = ("value", "low95", "high95", "unit", "voxels", "flags")


def open_experiment(path: str | Path) -> "Experiment":
    """Open an experiment for reading, whether it is over or still runs.

    Parameters
    ----------
    path
        Its folder: ``STORE/NAME``.

    Returns
    -------
    Experiment
        As it stands now; :meth:`Experiment.refresh` looks again.

    Raises
    ------
    StoreError
        If there is no experiment, or one of a newer version.
    """
    folder = Path(path).resolve()
    paths = Store(folder.parent).experiment(folder.name)
    if not folder.is_dir():
        raise StoreFormatError(f"{folder} is no folder; give STORE/NAME of an experiment")
    paths.check_format()
    return Experiment(paths)


class Experiment:
    """One cell from first to last scan, read-only.

    Parameters
    ----------
    paths
        Where it lies.
    """

    def __init__(self, paths: ExperimentPaths) -> None:
        self._paths = paths

    def __repr__(self) -> str:
        state = "over" if self.history.ended is not None else "not over"
        return f"<lithoscope experiment {self.name!r}: {len(self.scans)} scans, {state}>"

    @property
    def name(self) -> str:
        """Name of the experiment."""
        return self._paths.name

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._paths.root

    def refresh(self) -> None:
        """Forget what was read, so that a running experiment is looked at again."""
        for name in ("entries", "history", "report", "electrochemistry"):
            self.__dict__.pop(name, None)

    @cached_property
    def entries(self) -> list[Entry]:
        """All entries of its journal, in order."""
        return read_entries(Store(self._paths.root.parent), self.name)

    @cached_property
    def history(self) -> History:
        """The journal folded: the facts of each scan as they stand."""
        history = History(self.name)
        history.extend(self.entries)
        return history

    @cached_property
    def report(self) -> JsonObject:
        """What ``lithoscope report --json`` prints."""
        return make_report(self.name, self.entries)

    @property
    def scans(self) -> tuple[int, ...]:
        """Numbers of its scans."""
        return tuple(sorted(self.history.scans))

    @property
    def metrics(self) -> "pd.DataFrame":
        """All metrics of all scans.

        Returns
        -------
        pandas.DataFrame
            Index (scan, metric); columns ``value``, ``low95``, ``high95``, ``unit``, ``voxels``
            and ``flags`` (a tuple), then ``time_s``, ``charge_mAh``, ``cycle``, ``half_cycle``
            and ``completeness`` of the scan. NaN where something could not be measured: the flags
            say why.
        """
        pd = _pandas()
        rows = [
            {
                "scan": scan["scan"],
                "metric": name,
                **{column: metric[column] for column in _OF_METRIC},
                "flags": tuple(metric["flags"]),
                **{column: scan[column] for column in _OF_SCAN},
            }
            for scan in self.report["scans"]
            for name, metric in scan["metrics"].items()
        ]
        table = pd.DataFrame(rows, columns=["scan", "metric", *_OF_METRIC, *_OF_SCAN])
        for column in ("value", "low95", "high95", "time_s", "charge_mAh", "completeness"):
            table[column] = table[column].astype(float)
        return table.set_index(["scan", "metric"])

    def metric(self, name: str) -> "pd.DataFrame":
        """Give one metric over the scans; index ``scan``.

        Raises
        ------
        NotThereError
            If no scan has it.
        """
        table = self.metrics
        if name not in table.index.get_level_values("metric"):
            known = ", ".join(sorted(set(table.index.get_level_values("metric")))[:8])
            raise NotThereError(f"{self.name} has no metric {name!r}; it has {known} …")
        return table.xs(name, level="metric")

    @property
    def decisions(self) -> "pd.DataFrame":
        """What was decided, fired and proposed, a row a fact, in the order of the journal."""
        pd = _pandas()
        rows = self.report["decisions"]
        table = pd.DataFrame(rows)
        first = [name for name in ("type", "scan", "rule", "action") if name in table]
        return table[[*first, *(name for name in table if name not in first)]]

    @cached_property
    def electrochemistry(self) -> Electrochemistry:
        """Samples of the cycler: ``time_s``, ``potential_V``, ``current_mA``, ``charge_mAh``."""
        return read_electrochemistry(self._paths)

    def scan(self, number: int) -> Scan:
        """Give a scan.

        Raises
        ------
        NotThereError
            If there is none of this number.
        """
        if number not in self.history.scans:
            raise NotThereError(f"{self.name} has no scan {number}; it has {list(self.scans)}")
        return Scan(self._paths, self.history.scans[number])

    def to_napari(self, *, level: int = 0) -> Any:  # napari's Viewer; napari has no types
        """Show all labelled scans in napari, one over the other, each with its labels.

        Parameters
        ----------
        level
            Level of resolution: 1 is half as fine.

        Returns
        -------
        napari.Viewer
            Scans but the last are switched off.

        Raises
        ------
        MissingExtraError
            If napari is not installed.
        """
        try:
            import napari
        except ImportError as error:
            raise MissingExtraError(
                "napari is not installed; pip install 'napari[all]' where this runs"
            ) from error
        viewer = napari.Viewer(title=self.name)
        for data, options, kind in self.napari_layers(level=level):
            getattr(viewer, f"add_{kind}")(data, **options)
        return viewer

    def napari_layers(self, *, level: int = 0) -> list[tuple[Any, dict[str, Any], str]]:
        """Give what :meth:`to_napari` shows, as napari's tuples of data, options and kind."""
        labelled = [n for n in self.scans if self.history.scans[n].labels is not None]
        layers = []
        for number in labelled:
            layers += self.scan(number).napari_layers(
                level=level, is_visible=number == labelled[-1]
            )
        return layers


def _pandas() -> Any:  # the module
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError(
            "pandas is not installed; pip install 'lithoscope[notebook]'"
        ) from error
    return pd

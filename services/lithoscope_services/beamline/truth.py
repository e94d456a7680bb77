"""The truth of a simulated experiment, written beside what was measured of it."""

from concurrent.futures import Future, ThreadPoolExecutor

from lithoscope_pipeline.phantom import SimulatedCell
from lithoscope_services.sources.simulated_files import write_true_labels, write_truth
from lithoscope_store import ExperimentPaths


class TruthKeeper:
    """Writes true labels and metrics while the experiment waits for something else.

    Parameters
    ----------
    cell
        Whose truth it is.
    paths
        Of the experiment.
    """

    def __init__(self, cell: SimulatedCell, paths: ExperimentPaths) -> None:
        self._cell = cell
        self._paths = paths
        self._pool = ThreadPoolExecutor(1, "truth")
        self._pending: list[Future[None]] = []

    def keep(self, scan: int) -> None:
        """Write the true labels of a scan, soon."""
        self._pending.append(self._pool.submit(self._write_labels, scan))

    def finish(self) -> None:
        """Wait for all labels, and write the true metrics of all scans."""
        for pending in self._pending:
            pending.result()
        self._pool.shutdown()
        self._paths.truth.mkdir(exist_ok=True)
        write_truth(self._paths.truth, self._cell, name=self._paths.name, roi=self._cell.roi)

    def _write_labels(self, scan: int) -> None:
        self._paths.truth.mkdir(exist_ok=True)
        path = self._paths.truth / f"labels_{scan:04d}.zarr"
        write_true_labels(path, self._cell, scan, self._cell.roi)

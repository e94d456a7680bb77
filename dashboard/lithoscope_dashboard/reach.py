"""What routes and callbacks of pages may reach: the running experiment, stored ones, the store."""

from dataclasses import dataclass

from lithoscope_dashboard.board import Board, Snapshot
from lithoscope_dashboard.errors import ViewError
from lithoscope_dashboard.library import Library
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.view import parse_view
from lithoscope_store.layout import Store


@dataclass(frozen=True, slots=True)
class Reach:
    """The running experiment and the stored ones, by one name.

    Parameters
    ----------
    board
        Where snapshots of the running experiment come from.
    library
        Where stored experiments come from.
    """

    board: Board
    library: Library

    @property
    def store(self) -> Store:
        """Where files lie."""
        return self.library.store

    def snapshot(self, experiment: str | None) -> Snapshot:
        """Give the snapshot of the running experiment, or one of a stored one by its name.

        Raises
        ------
        ViewError
            If there is no such experiment.
        """
        snapshot = self.board.snapshot
        running = snapshot.experiment
        if experiment is None or (running is not None and running.name == experiment):
            return snapshot
        return snapshot.of_stored(self.library.state_of(experiment))

    def snapshot_at(self, address: str) -> Snapshot:
        """Give what the address of a tab names: path and query.

        Raises
        ------
        ViewError
            If there is no such experiment, or the address means nothing.
        """
        return self.snapshot(parse_view(address).experiment)

    def state(self, experiment: str) -> ExperimentState:
        """Give what is known of an experiment by its name.

        Raises
        ------
        ViewError
            If there is no such experiment, or nothing is known of it yet.
        """
        state = self.snapshot(experiment).experiment
        if state is None:
            raise ViewError(f"nothing is known of {experiment!r} yet")
        return state

    def find(self, experiment: str) -> ExperimentState | None:
        """Give what is known of an experiment by its name; None if there is none."""
        try:
            return self.state(experiment)
        except ViewError:
            return None

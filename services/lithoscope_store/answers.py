"""Answers of a forest while people paint: planes as pictures, and what they rest on.

They lie beside the experiments, for they can be made again from what was painted at any time.
"""

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from lithoscope_store.errors import NotStoredError, StoreFormatError
from lithoscope_store.layout import Store
from lithoscope_store.painted_planes import Axis

AnswerStatus = Literal["waiting", "training", "answering", "done", "failed"]
_STATE = "state.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerState:
    """How far the answer to what was painted on a scan is.

    Parameters
    ----------
    status, message
        In a word, and what to do where something is missing.
    token
        Of the forest: a hash of its bytes; empty before the first one.
    of_ns
        Time of the newest stroke that the forest has seen, Unix time.
    round
        Newest round that it has seen.
    n_planes, n_pixels
        Painted planes and pixels that it was trained on.
    axis
        Normal of the planes that are answered.
    planes
        Numbers of those that are there.
    suggested
        Planes whose labels would teach most, best first.
    mean_doubt
        Entropy of a pixel in units of its largest value, over the planes looked at for it.
    trained_s
        How long the training took.
    """

    status: AnswerStatus = "waiting"
    message: str = ""
    token: str = ""
    of_ns: int = 0
    round: int = 0
    n_planes: int = 0
    n_pixels: int = 0
    axis: Axis = "z"
    planes: tuple[int, ...] = ()
    suggested: tuple[int, ...] = ()
    mean_doubt: float | None = None
    trained_s: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class AnswerFiles:
    """Files of the answer to what was painted on one scan."""

    root: Path

    @classmethod
    def of(cls, store: Store, experiment: str, scan: int) -> "AnswerFiles":
        """Find those of a scan; the name of the experiment is checked."""
        name = store.experiment(experiment).name
        return cls(store.root / ".lithoscope" / "answers" / name / f"{scan:04d}")

    def forest(self, token: str) -> Path:
        """Give where a forest lies."""
        return self.root / token / "forest.safetensors"

    def read_state(self) -> AnswerState:
        """Say how far it is; the first state if nothing was ever painted.

        Raises
        ------
        StoreFormatError
            If the file is damaged.
        """
        try:
            found = json.loads((self.root / _STATE).read_bytes())
            lists = {name: tuple(found[name]) for name in ("planes", "suggested")}
            return AnswerState(**{**found, **lists})
        except FileNotFoundError:
            return AnswerState()
        except (ValueError, TypeError, KeyError) as error:
            raise StoreFormatError(f"{self.root / _STATE} is damaged; remove it") from error

    def write_state(self, state: AnswerState) -> None:
        """Replace the state; not waited for until it is on the disk."""
        _replace(self.root / _STATE, json.dumps(state.as_json()).encode())

    def write_plane(self, token: str, axis: Axis, index: int, png: bytes) -> None:
        """Write the picture of one plane, whose pixels are numbers of classes."""
        _replace(self._plane(token, axis, index), png)

    def read_plane(self, token: str, axis: Axis, index: int) -> bytes:
        """Read the picture of one plane.

        Raises
        ------
        NotStoredError
            If there is none of this forest.
        """
        if not token.isalnum() or axis not in ("z", "y", "x"):
            raise NotStoredError("there is no such answer")
        try:
            return self._plane(token, axis, index).read_bytes()
        except FileNotFoundError as error:
            raise NotStoredError(f"plane {axis} {index} has no answer of this forest") from error

    def keep_only(self, token: str) -> None:
        """Remove the answers of all other forests."""
        for folder in self.root.iterdir():
            if folder.is_dir() and folder.name != token:
                shutil.rmtree(folder, ignore_errors=True)

    def _plane(self, token: str, axis: Axis, index: int) -> Path:
        return self.root / token / axis / f"{index}.png"


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(data)
    os.replace(partial, path)

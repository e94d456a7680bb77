"""A trained model on disk: a folder with a card, an ONNX graph, weights and a patch to check.

Nothing in it is trusted: hashes, shapes and classes are compared with the card, the graph is
looked at before it is run, and what could run code of its own is not opened at all.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from lithoscope_models.card import CARD_FILE, CHECK_FILE, FILES, ONNX_FILE, WEIGHTS_FILE, ModelCard
from lithoscope_models.errors import ModelRefusedError
from lithoscope_models.onnx_check import check_graph
from lithoscope_pipeline.labels import SegmentClass

WEIGHTS_FOLDER = Path(__file__).with_name("weights")
DEFAULT_MODEL = "stream-unet"
CLASSES = tuple(each.key for each in SegmentClass)
_MAX_CARD_BYTES = 1 << 20
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_PICKLE_ENDINGS = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin", ".joblib")
_ENGINE_ENDINGS = (".engine", ".plan", ".trt", ".xml", ".ort")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPatch:
    """A patch, and what the network gave for it in torch, float32.

    Parameters
    ----------
    x, logits
        Shapes (1, channels, rows, columns) and (1, classes, rows, columns), float32.
    """

    x: NDArray[np.float32]
    logits: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model that was looked at.

    Parameters
    ----------
    folder
        Where it lies.
    card
        What it says of itself.
    onnx
        The graph, float32.
    sha256
        Of the card, which holds the hashes of all files: the name of this very model.
    """

    folder: Path
    card: ModelCard
    onnx: bytes = field(repr=False)
    sha256: str

    @cached_property
    def check(self) -> CheckPatch:
        """The patch that engines are tested with."""
        from safetensors.numpy import load

        tensors = load(_read(self.folder, CHECK_FILE, self.card))
        patch = CheckPatch(x=tensors["x"], logits=tensors["logits"])
        n_classes, n_channels = len(self.card.classes), self.card.inputs.inputs.n_channels
        if (
            patch.x.shape[:2] != (1, n_channels)
            or patch.logits.shape != (1, n_classes, *patch.x.shape[2:])
            or {patch.x.dtype, patch.logits.dtype} != {np.dtype(np.float32)}
        ):
            raise ModelRefusedError(
                f"{self.folder / CHECK_FILE}: patch {patch.x.shape} with logits "
                f"{patch.logits.shape} does not fit the card; export the model again"
            )
        return patch

    def weights(self) -> bytes:
        """Read the weights for torch, a safetensors file, after comparing its hash."""
        return _read(self.folder, WEIGHTS_FILE, self.card)


def find_model(name_or_folder: str | Path) -> Path:
    """Give the folder of a model: one that comes with Lithoscope, or a path.

    Raises
    ------
    ModelRefusedError
        If there is none, or what lies there is a file that cannot be trusted.
    """
    packaged = WEIGHTS_FOLDER / str(name_or_folder)
    if "/" not in str(name_or_folder) and (packaged / CARD_FILE).is_file():
        return packaged
    path = Path(name_or_folder)
    if path.name == CARD_FILE:
        path = path.parent
    if path.is_file():
        raise ModelRefusedError(f"{path}: {_why_no_file(path)}")
    if not (path / CARD_FILE).is_file():
        known = ", ".join(packaged_models()) or "none"
        raise ModelRefusedError(
            f"{path}: no model here (no {CARD_FILE}); give a folder written by lithoscope model "
            f"export, or a name: {known}"
        )
    return path


def packaged_models() -> tuple[str, ...]:
    """Name the models that come with Lithoscope."""
    if not WEIGHTS_FOLDER.is_dir():
        return ()
    return tuple(sorted(card.parent.name for card in WEIGHTS_FOLDER.glob(f"*/{CARD_FILE}")))


def model_sha256(name_or_folder: str | Path) -> str:
    """Give the name of the very model that a name or a folder stands for, from its card."""
    return _sha256(_card_bytes(find_model(name_or_folder)))


def load_card(name_or_folder: str | Path) -> ModelCard:
    """Read the card of a model, and nothing else of it."""
    folder = find_model(name_or_folder)
    return _parse_card(_card_bytes(folder), folder)


def load_model(
    name_or_folder: str | Path,
    *,
    polarity: str = "denser_is_brighter",
    classes: tuple[str, ...] = CLASSES,
) -> Model:
    """Load a model after looking at all of it.

    Parameters
    ----------
    name_or_folder
        Name of a model that comes with Lithoscope, or its folder.
    polarity
        Of the volumes that it is to see.
    classes
        That are wanted of it, in this order.

    Raises
    ------
    ModelRefusedError
        If it must not or cannot be used; the text has the reason in one line.
    """
    folder = find_model(name_or_folder)
    card_bytes = _card_bytes(folder)
    card = _parse_card(card_bytes, folder)
    if card.classes != classes:
        raise ModelRefusedError(
            f"{folder}: has classes {', '.join(card.classes)}; needed are {', '.join(classes)}"
        )
    if card.polarity not in ("any", polarity):
        raise ModelRefusedError(
            f"{folder}: was trained on volumes in which {card.polarity.replace('_', ' ')}, these "
            f"are {polarity.replace('_', ' ')}; take another model or turn the grey values"
        )
    onnx = _read(folder, ONNX_FILE, card)
    check_graph(
        onnx,
        str(folder / ONNX_FILE),
        n_channels=card.inputs.inputs.n_channels,
        n_classes=len(card.classes),
    )
    _check_safetensors(_read(folder, WEIGHTS_FILE, card), folder / WEIGHTS_FILE)
    return Model(folder=folder, card=card, onnx=onnx, sha256=_sha256(card_bytes))


def _card_bytes(folder: Path) -> bytes:
    path = folder / CARD_FILE
    if path.is_symlink() or path.stat().st_size > _MAX_CARD_BYTES:
        raise ModelRefusedError(f"{path}: a link, or too large for a card")
    return path.read_bytes()


def _parse_card(data: bytes, folder: Path) -> ModelCard:
    try:
        return ModelCard.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "card"
        raise ModelRefusedError(f"{folder / CARD_FILE}: {place}: {first['msg']}") from error


def _read(folder: Path, name: str, card: ModelCard) -> bytes:
    """Read one of the files that the card names, if it is that very file."""
    path = folder / name
    if name not in card.files or name not in FILES:
        raise ModelRefusedError(f"{folder / CARD_FILE}: names no {name}; export the model again")
    if path.is_symlink() or not path.is_file():
        raise ModelRefusedError(f"{path}: missing, or a link; copy the whole folder")
    data = path.read_bytes()
    if data.startswith(_PICKLES):
        raise ModelRefusedError(f"{path}: {_why_no_file(path, data)}")
    if _sha256(data) != card.files[name]:
        raise ModelRefusedError(
            f"{path}: is not the file that its card names (SHA-256 {_sha256(data)[:12]}…, not "
            f"{card.files[name][:12]}…); copy the whole folder again"
        )
    return data


def _why_no_file(path: Path, data: bytes = b"") -> str:
    """Say why a single file is not taken for a model."""
    start = data
    if not start:
        with path.open("rb") as file:
            start = file.read(8)
    if path.suffix in _PICKLE_ENDINGS or start.startswith(_PICKLES):
        return (
            "a pickle checkpoint runs code when it is read; export it where it was trained: "
            "lithoscope model export"
        )
    if path.suffix in _ENGINE_ENDINGS:
        return (
            "an engine from elsewhere cannot be checked; give the folder of the model, engines "
            "are built here"
        )
    return "a model is a folder with a card; give the folder written by lithoscope model export"


def _check_safetensors(data: bytes, path: Path) -> None:
    """Refuse a file whose header does not describe its own bytes."""
    import safetensors

    read: Callable[[bytes], object] = safetensors.deserialize
    try:
        read(data)
    except safetensors.SafetensorError as error:
        raise ModelRefusedError(
            f"{path}: no safetensors file ({error}); export the model again"
        ) from error


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

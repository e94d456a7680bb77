"""The network that comes with Lithoscope, and copies of it that something was done to."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from lithoscope_models.card import CARD_FILE
from lithoscope_models.model_file import DEFAULT_MODEL, Model, find_model, load_model


def packaged() -> Model:
    return load_model(DEFAULT_MODEL)


def copied(folder: Path) -> Path:
    """Copy the model to a folder of its own."""
    place = folder / "copy"
    shutil.copytree(find_model(DEFAULT_MODEL), place)
    return place


def edit_card(place: Path, **changes: Any) -> None:  # fields of a card
    card = json.loads((place / CARD_FILE).read_text())
    (place / CARD_FILE).write_text(json.dumps(card | changes))


def replace_file(place: Path, name: str, data: bytes) -> None:
    """Put other bytes in the place of a file, and their hash into the card."""
    (place / name).write_bytes(data)
    files = json.loads((place / CARD_FILE).read_text())["files"]
    edit_card(place, files=files | {name: hashlib.sha256(data).hexdigest()})

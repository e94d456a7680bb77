"""Presets: answers that hold at one beamline or for one kind of sender, as package data."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from lithoscope_services.settings import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Answers with a name.

    Parameters
    ----------
    name
        Of the file.
    title
        What it is for.
    notes
        What a person must still do.
    values
        Answers by dotted key; ``Any`` because keys have different types.
    """

    name: str
    title: str
    notes: tuple[str, ...]
    values: Mapping[str, Any]


def preset_names() -> tuple[str, ...]:
    """Name all presets."""
    folder = resources.files(__package__) / "preset_files"
    names = (each.name for each in folder.iterdir() if each.name.endswith(".toml"))
    return tuple(sorted(name.removesuffix(".toml") for name in names))


def load_preset(name: str) -> Preset:
    """Read a preset.

    Raises
    ------
    SettingsError
        If there is none of this name.
    """
    if name not in preset_names():
        known = ", ".join(preset_names())
        raise SettingsError((f"--preset {name}: there is none; known are {known}",))
    text = (resources.files(__package__) / "preset_files" / f"{name}.toml").read_text("utf-8")
    data = tomllib.loads(text)
    about = data.pop("preset")
    values = {
        f"{table}.{key}": value for table, keys in data.items() for key, value in keys.items()
    }
    return Preset(name=name, title=about["title"], notes=tuple(about["notes"]), values=values)

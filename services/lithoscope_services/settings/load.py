"""Read a settings file: all of it is right, or every problem is named at once."""

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lithoscope_services.settings.errors import SettingsError
from lithoscope_services.settings.lines import find_lines
from lithoscope_services.settings.problems import all_keys, describe_problems
from lithoscope_services.settings.tree import Settings

#: The only environment variable that changes what Lithoscope does.
CONFIG_VARIABLE = "LITHOSCOPE_CONFIG"
MAX_FILE_BYTES = 2**20


def find_settings_file(given: Path | None) -> Path | None:
    """Choose the settings file: the one given, else that of the environment, else none."""
    if given is not None:
        return given
    named = os.environ.get(CONFIG_VARIABLE, "")
    return Path(named) if named else None


def load_settings(path: Path | None) -> Settings:
    """Read the settings, or take the defaults if there is no file.

    Parameters
    ----------
    path
        A TOML file, or None for the file named by ``LITHOSCOPE_CONFIG`` or else the defaults.

    Returns
    -------
    Settings
        Complete and frozen.

    Raises
    ------
    SettingsError
        If the file cannot be read or anything in it is wrong; holds one line for each problem.
    """
    file = find_settings_file(path)
    if file is None:
        return Settings()
    return parse_settings(_read(file), where=str(file))


def parse_settings(text: str, *, where: str) -> Settings:
    """Read settings from the text of a TOML file.

    Parameters
    ----------
    text
        TOML.
    where
        Name of the file for the error lines.

    Raises
    ------
    SettingsError
        If anything is wrong; holds one line for each problem.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError((f"{where}: no valid TOML: {error}; mend the syntax",)) from error
    try:
        return _validate(data)
    except ValidationError as error:
        problems = describe_problems(error, where=where, lines=find_lines(text))
        raise SettingsError(problems) from error


def replace_values(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """Change some values, such as ``{"experiment.name": "first"}``, and check the whole again.

    Parameters
    ----------
    settings
        Left as they are.
    values
        New values by dotted key; ``Any`` because keys have different types. None unsets a key.

    Raises
    ------
    SettingsError
        If a key is unknown or a value does not fit.
    """
    data = settings.model_dump(mode="json", by_alias=True, exclude_none=True)
    known = set(all_keys())
    unknown = [key for key in values if key not in known]
    if unknown:
        raise SettingsError(tuple(f"{key}: unknown key of the settings" for key in unknown))
    for key, value in values.items():
        table, name = key.split(".")
        if value is None:
            data[table].pop(name, None)
        else:
            data[table][name] = value
    try:
        return _validate(data)
    except ValidationError as error:
        raise SettingsError(describe_problems(error, where="command line", lines={})) from error


def _validate(data: Mapping[str, Any]) -> Settings:
    # JSON knows arrays and texts where Python tells tuples and paths apart: strict fits TOML so.
    return Settings.model_validate_json(json.dumps(data, default=str))


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        problem = f"{file}: cannot be read: {reason}; give the path of a TOML file"
        raise SettingsError((problem,)) from error
    if len(content) > MAX_FILE_BYTES:
        raise SettingsError((f"{file}: larger than 1 MiB, so it is no settings file",))
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        problem = f"{file}: no UTF-8 text at byte {error.start}; save it as UTF-8"
        raise SettingsError((problem,)) from error

"""Turn what pydantic found wrong into lines that a newcomer can act on."""

import difflib
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from lithoscope_services.settings.lines import KeyPath, line_of
from lithoscope_services.settings.tree import Settings

_ADVICE = {
    "missing": "add it",
    "float_type": "give a number without quotes",
    "int_type": "give a whole number without quotes",
    "int_from_float": "give a whole number",
    "bool_type": "give true or false",
    "string_type": "put it in quotes",
    "tuple_type": "give a list in brackets, or for rules one [[rules]] table for each",
}


def describe_problems(
    error: ValidationError, *, where: str, lines: dict[KeyPath, int]
) -> tuple[str, ...]:
    """Write one line for each thing that is wrong, in the order of the file.

    Parameters
    ----------
    error
        What the validation of :class:`Settings` raised.
    where
        Name of the file, as it is to stand in the lines.
    lines
        Line numbers from :func:`find_lines`.
    """
    by_path: dict[KeyPath, list[Any]] = {}
    for detail in error.errors(include_url=False):
        path = tuple(part for part in detail["loc"] if not _is_union_branch(part))
        by_path.setdefault(path, []).append(detail)
    found: dict[str, int] = {}
    for path, details in by_path.items():
        number = line_of(path, lines)
        place = where if number is None else f"{where}:{number}"
        found[f"{place}: {_explain(path, details)}"] = number or 0
    return tuple(sorted(found, key=lambda text: found[text]))


# ``Any``: the details of an error are an open dictionary of pydantic's.
def _explain(path: KeyPath, details: list[Any]) -> str:
    name, first = dotted(path), details[0]
    if first["type"] == "extra_forbidden":
        return f"{name}: unknown key; {_suggestion(path)}"
    if first["type"] == "value_error":
        text = str(first["ctx"]["error"])
        return f"{name}: {text}" if name else text
    if first["type"] == "string_pattern_mismatch":
        return f"{name}: {first['input']!r} does not match {first['ctx']['pattern']}; change it"
    given = first["input"]
    came = f", {given!r} was given" if isinstance(given, str | int | float | bool) else ""
    expected = " or ".join(_expectation(detail["msg"]) for detail in details)
    advice = _ADVICE.get(first["type"])
    return f"{name}: expected {expected}{came}" + (f"; {advice}" if advice else "")


def _expectation(message: str) -> str:
    text = message.removeprefix("Input should be ")
    return text[0].lower() + text[1:]


def _suggestion(path: KeyPath) -> str:
    *table, key = path
    siblings = list(_keys_of(tuple(table)))
    near = difflib.get_close_matches(str(key), siblings, n=1, cutoff=0.6)
    if near:
        return f"did you mean {dotted((*table, near[0]))}?"
    elsewhere = {name.split(".")[-1]: name for name in all_keys()}
    near = difflib.get_close_matches(str(key), elsewhere, n=1, cutoff=0.75)
    if near:
        return f"did you mean {elsewhere[near[0]]}?"
    return f"known here: {', '.join(siblings)}"


def all_keys() -> Iterator[str]:
    """Name every key of the settings, such as ``ingest.buffer_bytes``."""
    for table in _keys_of(()):
        for key in _keys_of((table,)):
            yield f"{table}.{key}"


def dotted(path: KeyPath) -> str:
    """Write a path as it is spoken: ``rules[0].set_value``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _keys_of(path: KeyPath) -> Iterator[str]:
    model: type[BaseModel] | None = Settings
    for part in path:
        if isinstance(part, str) and model is not None:
            model = _table_of(model, part)
    if model is not None:
        for name, field in model.model_fields.items():
            yield field.alias or name


def _table_of(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    for name, field in model.model_fields.items():
        if key != (field.alias or name):
            continue
        for candidate in (field.annotation, *get_args(field.annotation)):
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                return candidate
    return None


def _is_union_branch(part: str | int) -> bool:
    """Tell pydantic's own names for the branches of a union from keys of the file."""
    return isinstance(part, str) and (part.startswith("literal[") or part in ("float", "int"))

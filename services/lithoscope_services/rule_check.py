"""Everything that is wrong with a file of rules at once, each with its line and its cure."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lithoscope_pipeline.decide import RuleError
from lithoscope_services.settings import RuleSettings, Settings, SettingsError, load_settings
from lithoscope_services.settings.lines import KeyPath, find_lines, line_of
from lithoscope_services.settings.problems import describe_problems

Json = dict[str, Any]  # an object of TOML


def check_rules(file: Path | None) -> Settings:
    """Read the rules of a settings file, or the default ones.

    Parameters
    ----------
    file
        A settings file, or one that has only ``[[rules]]`` and ``[decide]``.

    Returns
    -------
    Settings
        With its rules.

    Raises
    ------
    SettingsError
        If anything is wrong; holds one line for each problem, also those of a rule that has
        others.
    """
    try:
        return load_settings(file)
    except SettingsError as error:
        if file is None or not file.is_file():
            raise
        text = file.read_text()
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            raise error from None
        hidden = tuple(_hidden(data, file, find_lines(text)))
        # What a rule contradicts itself in stands in one line there, and here in one for each.
        plain = [each for each in error.problems if not re.search(r": rules\[\d+\]: ", each)]
        found = dict.fromkeys([*(plain if hidden else error.problems), *hidden])
        raise SettingsError(tuple(sorted(found, key=_line))) from error


def _hidden(data: Json, file: Path, lines: dict[KeyPath, int]) -> Iterator[str]:
    """Give what each rule still has wrong when its wrong keys are left out."""
    rules = data.get("rules")
    if not isinstance(rules, list):
        return
    for i, rule in enumerate(rules):
        if isinstance(rule, dict):
            yield from _problems_of(dict(rule), i, file, lines)


def _problems_of(rule: Json, i: int, file: Path, lines: dict[KeyPath, int]) -> Iterator[str]:
    for _ in range(len(rule) + 1):
        try:
            RuleSettings.model_validate_json(json.dumps(rule, default=str))
        except ValidationError as error:
            details = error.errors(include_url=False)
            keys = {str(detail["loc"][0]) for detail in details if detail["loc"]} & set(rule)
            if not keys:
                for detail in details:
                    yield from _own_problems(detail, i, file, lines)
                return
            whole = {"rules": [*({},) * i, rule]}
            yield from _described(whole, i, file, lines)
            rule = {key: value for key, value in rule.items() if key not in keys}
        else:
            return


def _described(data: Json, i: int, file: Path, lines: dict[KeyPath, int]) -> Iterator[str]:
    try:
        Settings.model_validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        for problem in describe_problems(error, where=str(file), lines=lines):
            if f"rules[{i}]" in problem:
                yield problem


def _own_problems(detail: Any, i: int, file: Path, lines: dict[KeyPath, int]) -> Iterator[str]:
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, RuleError):
        for problem in cause.problems:
            number = line_of(("rules", i, problem.key), lines)
            yield f"{file}:{number}: rules[{i}].{problem.key}: {problem.text}"


def _line(problem: str) -> int:
    number = problem.split(":")[1] if ":" in problem else ""
    return int(number) if number.isdigit() else 0

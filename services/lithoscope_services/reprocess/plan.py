"""What is taken from the source experiment, and the settings under which it is done again."""

import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lithoscope_messages import (
    ElectrochemistryAppended,
    Entry,
    ExperimentDescription,
    ExperimentStarted,
    FramesStored,
    JournalMessage,
    LabelsReady,
    MetricsReady,
    ScanCompleted,
    ScanStarted,
    SlabReady,
    StageFailed,
    StageName,
    SurfacesReady,
    TransformReady,
    VolumeReady,
)
from lithoscope_services.chain.runner import STAGES
from lithoscope_services.errors import ServiceError
from lithoscope_services.settings import Settings, load_settings, replace_values
from lithoscope_store import FORMAT_VERSION

#: Settings that are written into the description of an experiment and of its scans when it is
#: taken: what is set for a re-processing stands before what was written then.
_OF_EXPERIMENT = ("sample", "active_area_cm2", "first_current_sign", "edge_on_deg")
_OF_SCAN = ("voxel_size_um", "energy_keV", "distance_mm")


class ReprocessError(ServiceError, ValueError):
    """An experiment cannot be done again as it was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReprocessPlan:
    """What is to be done again.

    Parameters
    ----------
    source, name
        The experiment that is there, and the one that is made.
    settings
        Resolved.
    given
        What was set for this, by dotted key.
    stages
        That are run, in their order; those before them are taken over as they stand.
    """

    source: str
    name: str
    settings: Settings
    given: Mapping[str, Any]
    stages: tuple[StageName, ...]

    @property
    def taken_over(self) -> tuple[StageName, ...]:
        """Stages before the first that is run."""
        return STAGES[: STAGES.index(self.stages[0])]


def parse_stages(text: str | None) -> tuple[StageName, ...]:
    """Read ``from:to``; either end may be left out, and one name means this stage alone.

    Raises
    ------
    ReprocessError
        If there is no such stage, or if the first comes after the last.
    """
    if text is None:
        return STAGES
    first_text, colon, last_text = text.partition(":")
    first = _stage_number(first_text or STAGES[0], text)
    last = _stage_number((last_text or STAGES[-1]) if colon else first_text, text)
    if first > last:
        raise ReprocessError(f"--stages {text}: {STAGES[first]} comes after {STAGES[last]}")
    return STAGES[first : last + 1]


def _stage_number(name: str, text: str) -> int:
    names: tuple[str, ...] = STAGES
    if name not in names:
        raise ReprocessError(
            f"--stages {text}: {name!r} is no stage; there are {', '.join(names)}"
        )
    return names.index(name)


def parse_given(texts: Sequence[str]) -> dict[str, Any]:
    """Read ``table.key=value``, the value as TOML has it; a bare word is a text.

    Raises
    ------
    ReprocessError
        If there is no ``=``.
    """
    given = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or key.count(".") != 1:
            raise ReprocessError(f"--set {text}: give table.key=value, as in the settings file")
        try:
            given[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            given[key.strip()] = value.strip()
    return given


def resolve_settings(
    started: ExperimentStarted, given: Mapping[str, Any], config: Any, name: str
) -> Settings:
    """Give the settings: those of the source, or of a file if one is given, changed by ``given``.

    Parameters
    ----------
    started
        Of the source.
    given
        Changes by dotted key.
    config
        Path of a settings file, or None. Its table ``experiment`` does not count.
    name
        Of the new experiment.

    Raises
    ------
    SettingsError
        If a key is unknown or a value does not fit.
    """
    then = Settings.model_validate(started.settings, strict=False)
    settings = then
    if config is not None:
        settings = load_settings(config).model_copy(update={"experiment": then.experiment})
    return replace_values(settings, {**given, "experiment.name": name})


def first_facts(plan: ReprocessPlan, entries: Sequence[Entry]) -> list[JournalMessage]:
    """Give the facts with which the new journal begins.

    Parameters
    ----------
    plan
        What is done again.
    entries
        Of the source, all so far. Scans that are not complete are left out.

    Raises
    ------
    ReprocessError
        If no scan is complete.
    """
    complete = {e.message.scan for e in entries if isinstance(e.message, ScanCompleted)}
    if not complete:
        raise ReprocessError(f"no scan of {plan.source} is complete; there is nothing to do again")
    facts: list[JournalMessage] = []
    for entry in entries:
        message = entry.message
        if getattr(message, "scan", None) not in {None, *complete}:
            continue
        common = {"experiment": plan.name, "time_ns": time.time_ns()}
        match message:
            case ExperimentStarted():
                facts.append(_started(plan, message, common))
            case ScanStarted():
                facts.append(message.model_copy(update={**common, **_scan_fields(plan)}))
            case FramesStored() | ScanCompleted() | ElectrochemistryAppended():
                facts.append(message.model_copy(update=common))
            case _:
                if _is_taken_over(message, plan.taken_over):
                    facts.append(message.model_copy(update=common))
    return facts


def _is_taken_over(message: object, stages: Sequence[str]) -> bool:
    match message:
        case SlabReady() | VolumeReady() | StageFailed():
            return message.stage in stages
        case TransformReady():
            return "register" in stages
        case LabelsReady():
            return "segment" in stages
        case MetricsReady() | SurfacesReady():
            return "measure" in stages
        case _:
            return False


def _started(
    plan: ReprocessPlan, started: ExperimentStarted, common: Mapping[str, Any]
) -> ExperimentStarted:
    named = {key.partition(".") for key in plan.given}
    set_here = {
        key: getattr(plan.settings.experiment, key)
        for table, _, key in named
        if table == "experiment" and key in _OF_EXPERIMENT
    }
    description = ExperimentDescription.model_validate(
        {
            **started.description.model_dump(),
            **set_here,
            "source": "reprocess",
            "made_from": plan.source,
        }
    )
    return started.model_copy(
        update={
            **common,
            "key": plan.name,
            "producer": "command_line",
            "description": description,
            "settings": plan.settings.model_dump(mode="json"),
            "format_version": FORMAT_VERSION,
        }
    )


def _scan_fields(plan: ReprocessPlan) -> dict[str, Any]:
    return {
        key: getattr(plan.settings.scan, key)
        for key in _OF_SCAN
        if plan.given.get(f"scan.{key}") is not None
    }

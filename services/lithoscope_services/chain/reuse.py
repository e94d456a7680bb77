"""Results of another experiment that have the same work key: linked, checked, never made again."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lithoscope_messages import (
    Entry,
    Fact,
    FactMessage,
    JournalMessage,
    LabelsReady,
    Message,
    SlabReady,
    adapter_of,
    decode,
    encode,
)
from lithoscope_services.stage import Task
from lithoscope_store import CorruptDataError, Store, array_sha256, read_slab
from lithoscope_store.links import link_tree
from lithoscope_store.manifest import read_manifest
from lithoscope_store.volumes import volume_sha256

_FACTS = adapter_of(FactMessage)
#: The fact that closes the work of a stage.
CLOSING = frozenset(
    {"VolumeReady", "TransformReady", "LabelsReady", "MetricsReady", "SurfacesReady"}
)


@dataclass(slots=True)
class KnownResults:
    """Results of an experiment by their work key.

    Parameters
    ----------
    store_root, experiment
        Where they lie.
    """

    store_root: str
    experiment: str
    _facts: dict[str, list[Fact]] = field(default_factory=dict)
    _closed: set[str] = field(default_factory=set)

    def extend(self, entries: Iterable[Entry]) -> None:
        """Take in what the journal of the experiment says."""
        for entry in entries:
            message = entry.message
            key = getattr(message, "work_key", None)
            if isinstance(message, Fact) and key is not None and _is_result(message):
                self._facts.setdefault(key, []).append(message)
                if message.type in CLOSING:
                    self._closed.add(key)

    def has(self, key: str) -> bool:
        """Whether the result of this work key is known."""
        return key in self._closed

    def source_of(self, task: Task) -> Mapping[str, Any] | None:  # JSON
        """Say where the result of a task lies; None if it is not known."""
        if task.key not in self._closed:
            return None
        return {
            "store_root": self.store_root,
            "experiment": self.experiment,
            "facts": [encode(fact).decode() for fact in self._facts[task.key]],
        }


def reuse_result(task: Task, store_root: str, source: Mapping[str, Any]) -> Iterator[Fact]:
    """Link the result of a task from another experiment, check it, and say it anew.

    Parameters
    ----------
    task
        Whose key the result has.
    store_root
        Folder of the store that gets it.
    source
        From :meth:`KnownResults.source_of`.

    Yields
    ------
    Fact
        The same facts, of this experiment.

    Raises
    ------
    CorruptDataError
        If a file is no longer what was written.
    """
    name = task.arguments["experiment"]
    there = Store(Path(source["store_root"])).experiment(source["experiment"])
    here = Store(Path(store_root)).experiment(name)
    facts = [decode(text.encode(), _FACTS) for text in source["facts"]]
    digests = read_manifest(there) if there.manifest.is_file() else {}
    for relative in sorted({path for fact in facts for path in paths_of(fact)}):
        files = link_tree(there.resolve(relative), here.resolve(relative))
        for file in files:
            _check_file(file, digests.get(file.relative_to(here.root).as_posix()))
    if not digests:
        for fact in facts:
            _check_content(fact, here.resolve)
    for fact in facts:
        yield fact.model_copy(update={"experiment": name, "hops": None})


def _is_result(fact: JournalMessage) -> bool:
    return fact.type == "SlabReady" or fact.type in CLOSING


def paths_of(fact: Message) -> list[str]:
    """Name the folders and files that a fact announces."""
    return [
        value
        for name, value in json.loads(encode(fact)).items()
        if isinstance(value, str) and (name == "path" or name.endswith("_path"))
    ]


def _check_file(file: Path, expected: str | None) -> None:
    if expected is None:
        return
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != expected:
        raise CorruptDataError(
            f"{file} is no longer what was sealed; see `lithoscope verify`, then remove the "
            "damaged result or take --stages from the one that made it"
        )


def _check_content(fact: Fact, resolve: Any) -> None:  # a method of ExperimentPaths
    """Check what the fact itself has a hash of; an experiment that is not sealed has no other."""
    match fact:
        case SlabReady():
            found = _slab_sha256(resolve(fact.path), fact)
        case LabelsReady():
            found = volume_sha256(resolve(fact.path), label=fact.label_name)
        case _:
            return
    if found != fact.sha256:
        raise CorruptDataError(f"{fact.path} of scan {fact.scan} is not what was announced")


def _slab_sha256(path: Path, fact: SlabReady) -> str:
    return array_sha256(read_slab(path, fact.z0, fact.z1))

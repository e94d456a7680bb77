"""A real RunEngine with the devices of a tiny simulated cell, for tests of devices and plans."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from bluesky import RunEngine
from bluesky import preprocessors as bpp
from bluesky.utils import Msg, RunEngineInterrupted
from numpy.typing import NDArray
from ophyd_async.core import StaticPathProvider, UUIDFilenameProvider
from ophyd_async.plan_stubs import ensure_connected

from lithoscope_pipeline.phantom import SIZES, CellParameters, SimulatedCell, make_cell
from lithoscope_services.beamline.destinations import Hdf5Destination
from lithoscope_services.beamline.requests import ExperimentStep
from lithoscope_services.beamline.simulated import (
    SimulatedBeamline,
    experiment_steps,
    make_simulated_beamline,
)

N_ANGLES, N_FLATS, N_DARKS = 12, 3, 2


def tiny_cell(n_scans: int = 3) -> SimulatedCell:
    """Make a cell of two short pulses behind a few pixels."""
    return make_cell(
        "tiny",
        seed=5,
        n_scans=n_scans,
        cell=CellParameters(seed=5, n_pulses=2, pulse_s=20.0, rest_s=40.0),
        detector=replace(
            SIZES["tiny"],
            n_rows=3,
            n_columns=48,
            n_angles=N_ANGLES,
            n_flats=N_FLATS,
            n_darks=N_DARKS,
        ),
    )


@dataclass
class Bench:
    """An engine, devices, and all documents in the order in which they came."""

    cell: SimulatedCell
    beamline: SimulatedBeamline
    engine: RunEngine
    documents: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def steps(self) -> tuple[ExperimentStep, ...]:
        return experiment_steps(self.cell)

    def all(self, name: str) -> list[dict[str, Any]]:
        return [document for kind, document in self.documents if kind == name]

    def counts(self) -> Counter[str]:
        return Counter(name for name, _ in self.documents)

    def streams(self) -> list[str]:
        return [document["name"] for document in self.all("descriptor")]

    def exit_statuses(self) -> list[str]:
        return [document["exit_status"] for document in self.all("stop")]

    def frames(self) -> dict[tuple[int, str], tuple[NDArray[np.uint16], NDArray[np.float64]]]:
        """Read all that the documents of successful scans point at, by scan and stream."""
        good = {d["run_start"] for d in self.all("stop") if d["exit_status"] == "success"}
        starts = {d["uid"]: d for d in self.all("start") if d["uid"] in good}
        descriptors = {d["uid"]: d for d in self.all("descriptor")}
        resources = {d["uid"]: d for d in self.all("stream_resource")}
        parts: dict[tuple[int, str], dict[str, list[NDArray[Any]]]] = {}
        for datum in self.all("stream_datum"):
            descriptor, resource = (
                descriptors[datum["descriptor"]],
                resources[datum["stream_resource"]],
            )
            start = starts.get(descriptor["run_start"])
            if start is None:
                continue
            with h5py.File(resource["uri"].removeprefix("file://localhost"), "r") as file:
                indices = datum["indices"]
                values = file[resource["parameters"]["dataset"]][
                    indices["start"] : indices["stop"]
                ]
            place = parts.setdefault((start["lithoscope_scan"], descriptor["name"]), {})
            place.setdefault(resource["data_key"], []).append(values)
        return {
            place: (
                np.concatenate(found["detector"]),
                np.concatenate(found["detector-theta_deg"]),
            )
            for place, found in parts.items()
        }

    def samples(self) -> dict[str, list[float]]:
        """Join the readings of the cycler of all runs."""
        names = {d["uid"] for d in self.all("descriptor") if d["name"] == "electrochemistry"}
        joined: dict[str, list[float]] = {}
        for page in self.all("event_page"):
            if page["descriptor"] in names:
                for key, values in page["data"].items():
                    joined.setdefault(key.removeprefix("cycler-"), []).extend(values)
        return joined

    def run(self, plan: Iterator[Msg]) -> None:
        self.engine(plan)

    def run_until_paused(self, plan: Iterator[Msg]) -> None:
        """Run a plan that pauses itself."""
        try:
            self.engine(plan)
        except RunEngineInterrupted:
            return
        raise AssertionError("the plan ended without a pause")


def bench(folder: Path, **more: Any) -> Bench:
    """Set up a bench that writes HDF5 into a folder; more goes to the beamline."""
    cell = tiny_cell()
    destination = Hdf5Destination(StaticPathProvider(UUIDFilenameProvider(), folder))
    made = Bench(
        cell=cell,
        beamline=make_simulated_beamline(cell, destination, **more),
        engine=RunEngine({}, context_managers=[]),
    )
    made.engine.subscribe(lambda name, document: made.documents.append((name, document)))
    made.engine(ensure_connected(*made.beamline.devices))
    return made


def pausing(
    plan: Iterator[Msg], *, after: Callable[[Msg], bool], defer: bool, times: int = 1
) -> Iterator[Msg]:
    """Ask for a pause after the first messages of a kind, as a person at the console would."""
    left = [times]

    def pause() -> Iterator[Msg]:
        yield Msg("pause", None, defer=defer)

    def mutate(message: Msg) -> tuple[None, Iterator[Msg] | None]:
        if left[0] and after(message):
            left[0] -= 1
            return None, pause()
        return None, None

    mutated: Iterator[Msg] = bpp.plan_mutator(plan, mutate)
    return mutated


def value_of(made: Bench, device: Any, name: str) -> Any:  # devices differ
    found: list[Any] = []

    def plan() -> Any:
        found.append((yield Msg("read", device))[name]["value"])

    made.run(plan())
    return found[0]


def look_at(made: Bench, name: str) -> Any:  # a number or a text
    """Read the cycler while the engine is paused."""
    reading = asyncio.run_coroutine_threadsafe(made.beamline.cycler.read(), made.engine.loop)
    return reading.result(10)[f"cycler-{name}"]["value"]

"""A RunEngine whose frames go over the frame link while it runs, into a real ingest."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from linked_beamline import connected
from run_engine import N_ANGLES, N_DARKS, N_FLATS, tiny_cell
from spine import Spine, spine

from lithoscope_messages import ElectrochemistryAppended, ScanStarted
from lithoscope_pipeline.phantom import FaultParameters
from lithoscope_services.beamline.plans import Plan, pulse_plan, repeat_flats_plan, scan_plan
from lithoscope_services.beamline.simulated import (
    experiment_steps,
)
from lithoscope_store import FrameReader, read_electrochemistry

NAME = "linked"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Spine]:
    with spine(tmp_path / "store") as made:
        made.start("journal", "ingest")
        yield made


def test_frames_are_on_the_disk_of_ingest_when_the_scan_ends(running: Spine) -> None:
    cell = tiny_cell()
    with running.link(NAME) as link:
        engine, beamline = connected(link, cell)
        request = experiment_steps(cell)[0].request

        engine(repeat_flats_plan(beamline.tomograph, request, n_flats=2))
        link.flush()

    account = running.completed(NAME).account
    assert {(s.kind, s.set): s.stored for s in account.sets} == {
        ("dark", 0): N_DARKS,
        ("flat", 0): N_FLATS,
        ("projection", 0): N_ANGLES,
        ("flat", 1): 2,
    }
    reader = FrameReader(running.store.experiment(NAME), 0, 0)
    key = next(key for key in reader.keys if key.kind == "projection" and key.index == 3)
    assert reader.record(key).theta_deg == cell.thetas_deg[3]
    assert reader.record(key).theta_source == "encoder"
    assert np.array_equal(reader.read_frame(key), cell.frames(0).frame("projection", 3))


def test_what_the_run_start_says_reaches_the_journal(running: Spine) -> None:
    cell = tiny_cell()
    with running.link(NAME) as link:
        engine, beamline = connected(link, cell)
        engine(scan_plan(beamline.tomograph, experiment_steps(cell)[0].request))
    running.completed(NAME)

    started = next(e.message for e in running.entries(NAME) if isinstance(e.message, ScanStarted))

    assert started.phase.next_current_mA == 0.75
    assert started.phase.experiment_time_s == cell.schedule[0].time_s
    assert started.voxel_size_um == cell.voxel_um
    assert started.energy_keV == 27.5


def test_readings_of_the_cycler_become_electrochemistry(running: Spine) -> None:
    cell = tiny_cell()
    truth = cell.electrochemistry(0, 1)
    pulses = [pulse for step in experiment_steps(cell)[:2] for pulse in step.pulses]
    with running.link(NAME) as link:
        engine, beamline = connected(link, cell)

        def plan() -> Plan:
            for pulse in pulses:
                yield from pulse_plan(beamline.cycler, pulse)

        engine(plan())
        link.flush()

    stored = read_electrochemistry(running.store.experiment(NAME))
    facts = [
        e.message for e in running.entries(NAME) if isinstance(e.message, ElectrochemistryAppended)
    ]
    assert [fact.first for fact in facts] == [round(pulse.start_s) for pulse in pulses]
    begin = round(truth.time_s[0])
    assert np.array_equal(stored.time_s[begin:], truth.time_s)
    assert np.array_equal(stored.potential_V[begin:], truth.potential_V)


def test_frames_that_a_network_loses_are_missing_in_the_account(running: Spine) -> None:
    cell = tiny_cell()
    detector = replace(cell.detector, faults=FaultParameters(lost_share=0.2))
    cell = replace(cell, detector=detector)
    lost = cell.frames(0).faults.lost
    with running.link(NAME) as link:
        engine, beamline = connected(link, cell)

        engine(scan_plan(beamline.tomograph, experiment_steps(cell)[0].request))

    projections = next(s for s in running.completed(NAME).account.sets if s.kind == "projection")
    assert len(lost) > 0
    assert projections.expected == N_ANGLES
    assert projections.stored == N_ANGLES - len(lost)

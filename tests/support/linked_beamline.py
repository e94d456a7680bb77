"""An engine whose simulated beamline sends all it takes over the frame link."""

from bluesky import RunEngine
from ophyd_async.plan_stubs import ensure_connected

from lithoscope_messages import ExperimentDescription
from lithoscope_pipeline.phantom import SimulatedCell
from lithoscope_services.beamline.link_destination import FrameLinkDestination, LinkDocuments
from lithoscope_services.beamline.simulated import (
    SimulatedBeamline,
    make_simulated_beamline,
)
from lithoscope_services.frame_link import FrameLink


def connected(link: FrameLink, cell: SimulatedCell) -> tuple[RunEngine, SimulatedBeamline]:
    """Set up an engine that sends all it takes over the link."""
    documents = LinkDocuments(link)
    beamline = make_simulated_beamline(cell, FrameLinkDestination(link, documents))
    engine = RunEngine({}, context_managers=[])
    engine.subscribe(documents)
    engine(ensure_connected(*beamline.devices))
    link.begin_experiment(ExperimentDescription())
    return engine, beamline

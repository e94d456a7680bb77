"""A RunEngine of one's own, in a process of its own, watched by Lithoscope over 0MQ.

Three terminals, on one machine:

    bluesky-0MQ-proxy --in-address tcp://127.0.0.1:5577 --out-address tcp://127.0.0.1:5578
    lithoscope up --config my-cell.toml        # with the [source] table below
    python docs/examples/external_run_engine.py --experiment my-cell --folder /data/detector

The table that `up` needs:

    [source]
    kind = "bluesky"
    address = "tcp://127.0.0.1:5578"
    documents = "msgpack"
    prefix = "lithoscope"
    folder = "/data/detector"

The devices here are those of the simulated cell. Put your own detector, stage, shutter and cycler
in their places: the plans know nothing of simulation.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgpack
from bluesky import RunEngine
from bluesky.callbacks.zmq import Publisher
from ophyd_async.core import StaticPathProvider, UUIDFilenameProvider
from ophyd_async.plan_stubs import ensure_connected

from lithoscope_pipeline.phantom import make_cell
from lithoscope_services.beamline.destinations import Hdf5Destination
from lithoscope_services.beamline.plans import ExperimentOptions, experiment_plan
from lithoscope_services.beamline.simulated import experiment_steps, make_simulated_beamline

#: 0MQ connects in the background, and what is published before is lost without a word.
CONNECT_S = 1.0


@contextmanager
def published(engine: RunEngine, address: str) -> Iterator[None]:
    """Publish all documents; never with the default serializer, which is pickle."""
    publisher = Publisher(address, prefix=b"lithoscope", serializer=msgpack.packb)
    token = engine.subscribe(publisher)
    time.sleep(CONNECT_S)
    try:
        yield
    finally:
        engine.unsubscribe(token)
        publisher.close()


def main() -> None:
    """Take the first scans of a simulated cell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--publish", default="tcp://127.0.0.1:5577", help="the proxy's in-address")
    parser.add_argument("--experiment", required=True, help="name in the settings of `up`")
    parser.add_argument("--folder", type=Path, required=True, help="where the detector writes")
    parser.add_argument("--scans", type=int, default=3, help="scans that are taken")
    parser.add_argument("--of", type=int, default=5, help="scans that a whole cycle would have")
    parser.add_argument("--seed", type=int, default=5)
    arguments = parser.parse_args()

    cell = make_cell("tiny", seed=arguments.seed, n_scans=arguments.of)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    files = StaticPathProvider(UUIDFilenameProvider(), arguments.folder.resolve())
    beamline = make_simulated_beamline(cell, Hdf5Destination(files))

    engine = RunEngine({})
    engine(ensure_connected(*beamline.devices))
    plan = experiment_plan(
        experiment_steps(cell)[: arguments.scans],
        beamline.cycler,
        beamline.tomograph,
        None,  # no verdict is waited for: documents go one way
        ExperimentOptions(experiment=arguments.experiment),
    )
    with published(engine, arguments.publish):
        engine(plan)


if __name__ == "__main__":
    main()

"""Devices of the beamline. This is a simulated one: put your own in its place.

What `10-lithoscope.py` needs of this file: `RE`, `cycler`, `tomograph`, and `next_scan()`, which
gives the request of the scan that would be taken now.
"""

import itertools
import os
from dataclasses import replace
from pathlib import Path

from bluesky import RunEngine
from ophyd_async.core import StaticPathProvider, UUIDFilenameProvider, init_devices

from lithoscope_pipeline.phantom import SIZES, make_cell
from lithoscope_services.beamline.destinations import Hdf5Destination
from lithoscope_services.beamline.simulated import experiment_steps, make_simulated_beamline

RE = RunEngine({})

_size = replace(SIZES["tiny"], n_rows=3, n_columns=48, n_angles=12, n_flats=3, n_darks=2)
_cell = make_cell("tiny", seed=5, n_scans=2, detector=_size)
_folder = Path(os.environ.get("TMPDIR", "/tmp"))
_beamline = make_simulated_beamline(
    _cell,
    Hdf5Destination(StaticPathProvider(UUIDFilenameProvider(), _folder)),
    seconds_per_s=1.0,
)
with init_devices():
    cycler = _beamline.cycler
    _detector, _stage, _shutter, _sample, _height, _ = _beamline.devices
tomograph = _beamline.tomograph
_scans = itertools.count()


def next_scan():
    """Give the request of the next scan; your plan of the experiment knows which that is."""
    return replace(experiment_steps(_cell)[0].request, scan=next(_scans))

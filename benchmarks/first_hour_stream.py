"""The detector of the first hour: a simulated cell of another material, sent by 0MQ."""

import json
from dataclasses import replace
from typing import Any, Final

import numpy as np
import zmq
from numpy.typing import NDArray

from lithoscope_pipeline.phantom import (
    SIZES,
    CellParameters,
    SimulatedCell,
    SizeName,
    make_cell,
)

#: Share of the contrast that plated lithium has lost; none of the training cells has lost any.
WET: Final = 0.6
#: Of the noise: photons over those of the training cells, and its grain, which they have not.
PHOTONS: Final = 3.0
GRAIN_FWHM_PX: Final = 1.2
_SEND_MS: Final = 600_000
#: Kind, angle in degrees, pixels.
Frame = tuple[str, float, NDArray[Any]]


def other_material(size: SizeName, *, seed: int) -> SimulatedCell:
    """Make a cell whose plated lithium is soaked with electrolyte, seen with another noise.

    Parameters
    ----------
    size
        Of its detector.
    seed
        Of the cell.
    """
    cell = CellParameters(seed=seed)
    growth = cell.growth
    wet = replace(growth, porosity=replace(growth.porosity, electrolyte_share=WET))
    detector = SIZES[size]
    detector = replace(
        detector,
        photons=PHOTONS * detector.photons,
        response=replace(detector.response, noise_fwhm_px=GRAIN_FWHM_PX),
    )
    return make_cell(size, seed=seed, cell=replace(cell, growth=wet), detector=detector)


class Detector:
    """An areaDetector with its 0MQ plugin: who listens gets what is sent.

    Parameters
    ----------
    cell
        What stands before it.
    """

    def __init__(self, cell: SimulatedCell) -> None:
        self._cell = cell
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.PUSH)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SNDTIMEO, _SEND_MS)
        port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self.address = f"tcp://127.0.0.1:{port}"
        self._number = 0
        # Made before somebody listens for ten seconds.
        self._first = self._frames(0)
        self.n_darks, self.n_flats = (
            sum(each[0] == kind for each in self._first) for kind in ("dark", "flat")
        )
        self.voxel_um = cell.voxel_um
        self.n_projections = len(cell.scan_thetas_deg(0))

    def send(self, scan: int, *, n_frames: int | None = None) -> None:
        """Send the frames of a scan in the order in which they are taken, or the first of them."""
        every = self._frames(scan) if scan else self._first
        for kind, theta_deg, pixels in every[:n_frames]:
            self._number += 1
            rows, columns = pixels.shape
            header = {
                **{"htype": ["array-1.0"], "type": "uint16", "shape": [columns, rows]},
                **{"frame": self._number, "timeStamp": 0.0, "encoding": ""},
                "ndattr": {"FrameType": kind, "SampleRotary": theta_deg},
            }
            data = np.ascontiguousarray(pixels, np.uint16).tobytes()
            self._socket.send_multipart([json.dumps(header).encode(), data])

    def _frames(self, scan: int) -> list[Frame]:
        frames, thetas_deg = self._cell.frames(scan), self._cell.scan_thetas_deg(scan)
        return [
            *(("dark", 0.0, each) for each in frames.darks),
            *(("flat", 0.0, each) for each in frames.flats),
            *(
                ("projection", float(theta_deg), each)
                for theta_deg, each in zip(thetas_deg, frames.projections, strict=True)
            ),
        ]

    def skip(self) -> None:
        """Forget what was sent before an experiment: numbers of its first scan begin anew."""
        self._number = 0

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._context.term()

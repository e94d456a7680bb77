"""Frames and documents of a RunEngine over the frame link, as they come."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithoscope_messages import FrameKey, FrameKind, ScanPhase
from lithoscope_services.beamline import metadata as md
from lithoscope_services.beamline.destinations import Resource
from lithoscope_services.beamline.errors import BeamlineError
from lithoscope_services.frame_link import FrameLink, ScanDescription

#: Frames that lie in the store of the experiment; nothing else opens them by this name.
MIMETYPE = "application/x-lithoscope-frames"


class FrameLinkDestination:
    """Sends each frame to ingest when it is taken.

    Which scan, kind and set a frame belongs to is what the documents say: the stream that was
    declared last.

    Parameters
    ----------
    link
        To ingest.
    documents
        Of the same link, subscribed to the RunEngine.
    """

    is_network = True

    def __init__(self, link: FrameLink, documents: "LinkDocuments") -> None:
        self._link = link
        self._documents = documents

    def open(
        self,
        device: str,
        shape: tuple[int, int],
        dtype: str,
    ) -> Resource:
        """Name what the frames will be found under."""
        return Resource(
            uri="lithoscope://localhost/frames",
            mimetype=MIMETYPE,
            image_parameters={"dataset": "frames"},
            theta_parameters={"dataset": "theta_deg"},
        )

    def write(self, index: int, pixels: NDArray[np.generic], theta_deg: float) -> None:
        """Send a frame; waits while ingest takes none.

        Raises
        ------
        BeamlineError
            If no stream of frames was declared in a run of a scan.
        """
        stream = self._documents.frames
        if stream is None:
            raise BeamlineError(
                "a frame came while no scan is open; declare its stream in a run that says "
                f"{md.PHASE} and {md.SCAN}, and subscribe LinkDocuments to the RunEngine"
            )
        is_projection = stream.kind == "projection"
        self._link.send_frame(
            FrameKey(
                scan=stream.scan, tile=stream.tile, kind=stream.kind, set=stream.set, index=index
            ),
            pixels,
            theta_deg=theta_deg if is_projection else None,
            theta_source="encoder" if is_projection else "frame",
        )

    def flush(self) -> None:
        """Do nothing: what was sent is on its way."""

    def settle(self) -> None:
        """Wait until all that was sent is on the disk of ingest."""
        self._link.flush()

    def close(self) -> None:
        """Do nothing: the link is its owner's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameStream:
    """What the frames of a stream are."""

    scan: int
    tile: int
    kind: FrameKind
    set: int


class LinkDocuments:
    """Sends the documents of a RunEngine over the link, and what they say of scans and samples.

    The first stream of frames in a run begins its scan, the end of a run that succeeded ends it;
    of several tiles, a run each, the end of the last one.
    Readings of the cycler go out as electrochemistry. Subscribe it to all documents.

    Parameters
    ----------
    link
        To ingest.
    """

    def __init__(self, link: FrameLink) -> None:
        self._link = link
        #: Of the stream of frames that was declared last.
        self.frames: FrameStream | None = None
        self._starts: dict[str, dict[str, Any]] = {}  # documents, as they are: JSON
        self._begun: set[str] = set()
        self._taken: set[tuple[int, int]] = set()  # scan and tile of runs that succeeded
        self._samples: set[str] = set()

    def __call__(self, name: str, document: dict[str, Any]) -> None:
        """Send a document."""
        match name:
            case "start":
                self._starts[document["uid"]] = document
            case "descriptor":
                self._describe(document)
            case "event_page" if document["descriptor"] in self._samples:
                self._send_samples(document["data"])
            case "stop":
                # The scan ends before its run does: the other order is for who forgets to end it.
                self._end(document)
        self._link.send_document(name, to_json(document))

    def _describe(self, document: dict[str, Any]) -> None:
        if document["name"] == md.ELECTROCHEMISTRY:
            self._samples.add(document["uid"])
        run = document["run_start"]
        start = self._starts.get(run, {})
        stream = md.parse_stream_name(document["name"])
        if start.get(md.PHASE) != "scan" or stream is None:
            return
        if run not in self._begun:
            self._begun.add(run)
            self._link.begin_scan(start[md.SCAN], _describe_scan(start, document))
        self.frames = FrameStream(
            scan=start[md.SCAN], tile=start.get(md.TILE, 0), kind=stream[0], set=stream[1]
        )

    def _send_samples(self, data: dict[str, list[float]]) -> None:
        column = {
            suffix: tuple(values)
            for name, values in data.items()
            for suffix in md.SAMPLE_KEYS
            if name.endswith(suffix)
        }
        # Samples are numbered by their second, so sending them twice stores them once.
        first = round(column["time_s"][0])
        self._link.send_electrochemistry(
            first, column["time_s"], column["potential_V"], column["current_mA"]
        )

    def _end(self, document: dict[str, Any]) -> None:
        run = document["run_start"]
        start = self._starts.pop(run, {})
        if run in self._begun and document["exit_status"] == "success":
            scan = start[md.SCAN]
            self._taken.add((scan, start.get(md.TILE, 0)))
            tiles = {each.tile for each in md.parse_expected(start[md.EXPECTED])}
            if all((scan, tile) in self._taken for tile in tiles):
                self._link.end_scan(scan)
        self._begun.discard(run)
        self._samples.clear()
        self.frames = None


def _describe_scan(start: dict[str, Any], descriptor: dict[str, Any]) -> ScanDescription:
    image = next(
        key for name, key in descriptor["data_keys"].items() if not name.endswith(md.THETA_SUFFIX)
    )
    rows, columns = image["shape"][-2:]
    return ScanDescription(
        expected=md.parse_expected(start[md.EXPECTED]),
        frame_shape=(rows, columns),
        dtype=np.dtype(image["dtype_numpy"]).name,
        voxel_size_um=start[md.VOXEL_SIZE_UM],
        energy_keV=start.get(md.ENERGY_KEV),
        distance_mm=start.get(md.DISTANCE_MM),
        phase=ScanPhase(
            experiment_time_s=start.get(md.TIME_S, 0.0),
            cycle=start.get(md.CYCLE, 0),
            half_cycle=start.get(md.HALF_CYCLE, 0),
            pulse=start.get(md.PULSE, 0),
            next_current_mA=start.get(md.NEXT_CURRENT_MA),
        ),
    )


def to_json(document: dict[str, Any]) -> str:
    """Write a document, with NumPy's scalars and arrays made plain."""

    def plain(value: Any) -> Any:  # whatever a plan put there
        return value.tolist() if hasattr(value, "tolist") else str(value)

    return json.dumps(document, default=plain)

"""Send scans that lie in files to ingest, as if they came from the beamline now."""

from collections.abc import Sequence
from pathlib import Path

import structlog

from lithoscope_messages import ExperimentDescription, FrameKey, ScanPhase
from lithoscope_services.errors import SourceError
from lithoscope_services.frame_link import FrameLink, ScanDescription
from lithoscope_services.history import History
from lithoscope_services.settings.tree import Settings
from lithoscope_services.sources.file_scan import FileScan
from lithoscope_services.sources.files import open_scan

MAX_ORIGIN = 512
log = structlog.get_logger()


def feed_files(
    paths: Sequence[Path], settings: Settings, link: FrameLink, history: History
) -> None:
    """Send files as the scans of an experiment, in the order given.

    Parameters
    ----------
    paths
        Files or folders, one a scan.
    settings
        Of the experiment; what they say stands before what the files say.
    link
        To ingest.
    history
        What is known already: completed scans are not sent again.
    """
    link.begin_experiment(
        ExperimentDescription(
            source="files",
            n_scans=len(paths),
            sample=settings.experiment.sample,
            active_area_cm2=settings.experiment.active_area_cm2,
            first_current_sign=settings.experiment.first_current_sign,
            edge_on_deg=settings.experiment.edge_on_deg,
        )
    )
    for scan, path in enumerate(paths):
        known = history.scans.get(scan)
        if known is None or known.completed is None:
            with open_scan(path) as stored:
                _feed_scan(scan, stored, settings, link)


def _feed_scan(scan: int, stored: FileScan, settings: Settings, link: FrameLink) -> None:
    description = describe_file_scan(scan, stored, settings)
    link.begin_scan(scan, description)
    for frame in stored.frames():
        link.send_frame(
            FrameKey(scan=scan, kind=frame.kind, set=frame.set, index=frame.index),
            frame.pixels.astype(description.dtype, copy=False),
            theta_deg=frame.theta_deg,
            theta_source=stored.theta_source,
        )
    link.end_scan(scan)
    log.info("scan_sent", path=str(stored.path), scan=scan)


def describe_file_scan(scan: int, stored: FileScan, settings: Settings) -> ScanDescription:
    """Say what a stored scan is going to send; what the settings say stands before the file.

    Raises
    ------
    SourceError
        If neither says how large a pixel is.
    """
    voxel_um = settings.scan.voxel_size_um or stored.voxel_size_um
    if voxel_um is None:
        raise SourceError(
            f"{stored.path}: the file does not say how large a pixel is; give voxel_size_um in "
            "the [scan] table of --config"
        )
    # Averaged flats are often floats beside projections in counts: one type for all of a scan.
    blocks = (stored.projection_block, *stored.flat_blocks, *stored.dark_blocks)
    dtypes = {block.dtype.name for block in blocks}
    dtype = stored.dtype if len(dtypes) == 1 else "float32"
    return ScanDescription(
        expected=stored.expected,
        frame_shape=stored.frame_shape,
        dtype=dtype,
        voxel_size_um=voxel_um,
        energy_keV=settings.scan.energy_keV or stored.energy_keV,
        distance_mm=stored.distance_mm,
        # Most files say nothing of the cycler: their scans are spaced by one second.
        phase=stored.phase or ScanPhase(experiment_time_s=float(scan)),
        origin=stored.path.name[:MAX_ORIGIN],
    )

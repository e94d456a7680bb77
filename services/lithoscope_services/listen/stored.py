"""Look at a stored scan, at a folder of scans, or at a recording of a stream."""

from pathlib import Path

import numpy as np

from lithoscope_pipeline.setup_checks import check_angles
from lithoscope_services.errors import SourceError
from lithoscope_services.listen.finding import VOXEL, Need, SourceFinding
from lithoscope_services.listen.wire import read_recording
from lithoscope_services.sources.file_scan import FileScan
from lithoscope_services.sources.files import open_scan
from lithoscope_services.sources.tap.recording import MAGIC

_NAMES = {
    "dxchange": "DXchange (HDF5)",
    "nxtomo": "NXtomo (HDF5)",
    "tiff_folder": "a folder of TIFFs",
}
_SCAN_ENDINGS = (".h5", ".hdf5", ".hdf", ".nx", ".nxs")


def look_at_file(path: Path) -> SourceFinding:
    """Say what a path holds; one that is no scan is named, with the reason.

    A folder that holds scans, and is none itself, is taken for one that scans are written into.
    """
    if path.is_file() and _begins_with(path, MAGIC):
        return read_recording(path)
    if path.is_dir():
        scans = sorted(each for each in path.iterdir() if each.suffix.lower() in _SCAN_ENDINGS)
        if scans:
            return _scan(scans[0], place=str(path), folder=path)
    return _scan(path, place=str(path), folder=path.resolve().parent)


def _scan(path: Path, *, place: str, folder: Path) -> SourceFinding:
    try:
        with open_scan(path) as stored:
            return _finding(stored, place, folder)
    except SourceError as error:
        return SourceFinding(place=place, dialect="no scan that is taken", unsupported=str(error))


def _finding(stored: FileScan, place: str, folder: Path) -> SourceFinding:
    counts = ", ".join(f"{each.count} {each.kind}" for each in stored.expected)
    settings: dict[str, object] = {"source.kind": "folder", "source.folder": str(folder.resolve())}
    said = {
        "scan.voxel_size_um": stored.voxel_size_um,
        "scan.energy_keV": stored.energy_keV,
        "scan.distance_mm": stored.distance_mm,
    }
    settings |= {key: value for key, value in said.items() if value is not None}
    needs: list[Need] = [VOXEL] if stored.voxel_size_um is None else []
    notes = [counts]
    if stored.format == "tiff_folder":
        notes.append("folders of TIFFs are taken by lithoscope ingest, not from a watched folder")
        del settings["source.kind"], settings["source.folder"]
    checks = (check_angles(np.asarray(stored.thetas_deg, np.float64)),)
    return SourceFinding(
        place=place,
        dialect=_NAMES[stored.format],
        frame_shape=stored.frame_shape,
        dtype=stored.dtype,
        n_heard=sum(each.count for each in stored.expected),
        kind_from="the datasets of the file",
        theta_from=f"the file ({stored.theta_source})",
        settings=settings,
        needs=tuple(needs),
        notes=tuple(notes),
        checks=tuple(each for each in checks if each.verdict == "wrong"),
    )


def _begins_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(magic)) == magic

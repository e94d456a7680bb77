"""Stored scans as a source: one function that knows what a path holds."""

from pathlib import Path

from lithoscope_services.errors import SourceError
from lithoscope_services.sources.dxchange import is_dxchange, read_dxchange
from lithoscope_services.sources.file_scan import FileScan
from lithoscope_services.sources.hdf5 import Hdf5Tree
from lithoscope_services.sources.nxtomo import find_nxtomo, read_nxtomo
from lithoscope_services.sources.tiff_folder import read_tiff_folder


def open_scan(path: Path, *, takes_lock: bool = True) -> FileScan:
    """Open a stored scan; its frames are read only when asked for.

    Parameters
    ----------
    path
        A DXchange or NXtomo HDF5 file, or a folder of TIFF projections.
    takes_lock
        Whether a writer that opens the HDF5 file meanwhile is kept off.

    Returns
    -------
    FileScan
        A context manager: close it when done.

    Raises
    ------
    SourceError
        If there is no scan, or a part of it is missing, damaged, outside its folder or does not
        fit the others. The text says what, where and what to do.
    FileBusyError
        If another program is writing it.
    """
    if path.is_dir():
        return read_tiff_folder(path)
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder; check the path")
    if not path.is_file():
        raise SourceError(f"{path}: neither a file nor a folder; give a stored scan")
    tree = Hdf5Tree(path, takes_lock=takes_lock)
    try:
        if is_dxchange(tree):
            return read_dxchange(tree)
        entry = find_nxtomo(tree)
        if entry is None:
            raise SourceError(
                f"{path}: neither /exchange (DXchange) nor an image_key (NXtomo) in this file; "
                "convert it to one of them"
            )
        return read_nxtomo(tree, entry)
    except SourceError:
        tree.close()
        raise

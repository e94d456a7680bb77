"""Read what a cycler wrote, whatever made it: the one door for all commands."""

from pathlib import Path

from lithoscope_services.electrochemistry.biologic import read_mpr
from lithoscope_services.electrochemistry.record import CyclerRecord
from lithoscope_services.electrochemistry.tables import read_table
from lithoscope_services.errors import SourceError

_BINARY = {
    ".nda": "Neware",
    ".ndax": "Neware",
    ".res": "Arbin",
    ".mps": "EC-Lab",
    ".xlsx": "Excel",
}


def read_cycler(path: Path) -> CyclerRecord:
    """Read a file of a cycler: BioLogic ``.mpr`` and ``.mpt``, or any table of text.

    Parameters
    ----------
    path
        The kind follows from its ending.

    Raises
    ------
    SourceError
        If it cannot be read; the text says where and what to do.
    """
    ending = path.suffix.lower()
    if not path.is_file():
        raise SourceError(f"{path}: no such file; check the path")
    if ending in _BINARY:
        raise SourceError(
            f"{path}: files of {_BINARY[ending]} are not read; export the readings as CSV or text"
        )
    return read_mpr(path) if ending == ".mpr" else read_table(path)

"""A program that writes HDF5 files slowly, as detectors do: h5py alone, in a process of its own.

Orders come line by line on its standard input: ``open PATH SCAN LIBVER LOCKING``, ``frames FIRST
LAST``, ``flush``, ``close``, ``rename PATH``. It answers each with a line.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from foreign import COLUMNS, ROWS, Sent

#: Kinds of ``foreign`` as NXtomo numbers them.
IMAGE_KEYS = {0: 2, 1: 1, 2: 0}


class FileWriter:
    """The process, seen from a test."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def order(self, *words: object) -> None:
        """Give an order, and wait until it is done."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise TypeError("the writer has no pipes")
        stdin.write(" ".join(map(str, words)) + "\n")
        stdin.flush()
        answer = stdout.readline().strip()
        if answer != "done":
            raise RuntimeError(f"the writer said {answer!r}")


@contextmanager
def file_writer() -> Iterator[FileWriter]:
    """Start the writer; it ends without closing its file if it was not told to."""
    process = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield FileWriter(process)
    finally:
        process.kill()
        process.communicate()


def write_nxtomo(
    path: Path, frames: Sequence[Sent], *, never: Sequence[Sent] = (), with_checksums: bool = False
) -> None:
    """Write an NXtomo file at once; frames of ``never`` have their place and are not written."""
    with h5py.File(path, "w") as file:
        data = _nxtomo_tables(file, frames, with_checksums=with_checksums)
        for place, frame in enumerate(frames):
            if frame not in never:
                data[place] = frame.pixels


def write_dxchange(path: Path, frames: Sequence[Sent]) -> None:
    """Write a DXchange file at once; it knows no flats after."""
    names = {0: "data_dark", 1: "data_white", 2: "data"}
    with h5py.File(path, "w") as file:
        for kind, name in names.items():
            images = [frame.pixels for frame in frames if frame.scan_index == kind]
            file[f"exchange/{name}"] = np.stack(images)
        n_projections = sum(frame.scan_index == 2 for frame in frames)
        file["exchange/theta"] = np.arange(n_projections) * 180.0 / n_projections
        file["exchange/theta"].attrs["units"] = "degrees"


def _nxtomo_tables(
    file: h5py.File, frames: Sequence[Sent], *, with_checksums: bool = False
) -> h5py.Dataset:
    keys = np.array([IMAGE_KEYS[frame.scan_index] for frame in frames])
    n_projections = int(np.count_nonzero(keys == 0))
    angles = np.where(keys == 0, [frame.index * 180.0 / n_projections for frame in frames], 0.0)
    file["entry/instrument/detector/image_key"] = keys
    file["entry/sample/rotation_angle"] = angles
    file["entry/sample/rotation_angle"].attrs["units"] = "degrees"
    return file.create_dataset(
        "entry/instrument/detector/data",
        (len(frames), ROWS, COLUMNS),
        dtype=np.uint16,
        chunks=(1, ROWS, COLUMNS),
        fletcher32=with_checksums,
    )


def main() -> None:
    """Obey."""
    from foreign import scan_of

    file, data, path = None, None, Path()
    for line in sys.stdin:
        word, *rest = line.split()
        match word:
            case "open":
                path, scan = Path(rest[0]), int(rest[1])
                libver = None if rest[2] == "default" else rest[2]
                file = h5py.File(path, "w", libver=libver, locking=rest[3] == "locking")
                frames = scan_of(scan, n_flats_after=3)
                data = _nxtomo_tables(file, frames)
            case "frames" if data is not None:
                for place in range(int(rest[0]), int(rest[1])):
                    data[place] = frames[place].pixels
            case "flush" if file is not None:
                file.flush()
            case "close" if file is not None:
                file.close()
            case "rename":
                path.rename(rest[0])
        sys.stdout.write("done\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

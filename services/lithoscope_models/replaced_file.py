"""Files that are there whole or not at all."""

import os
from pathlib import Path


def replace_file(path: Path, data: str | bytes) -> None:
    """Write a file; what was there before stays until it is whole."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_bytes(data.encode() if isinstance(data, str) else data)
    os.replace(partial, path)

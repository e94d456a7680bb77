"""One step by itself: ``segment``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lithoscope_services.cli.options import (
    DEFAULT_STORE,
    ConfigOption,
    JsonOption,
    StoreOption,
    write_json,
)

_PANEL = "Single steps"


class MethodChoice(StrEnum):
    """How materials are told apart."""

    NETWORK = "network"
    LAYERS = "layers"


class EngineChoice(StrEnum):
    """What runs a network."""

    AUTO = "auto"
    TENSORRT = "tensorrt"
    ONNXRUNTIME_CUDA = "onnxruntime-cuda"
    OPENVINO = "openvino"
    ONNXRUNTIME = "onnxruntime"
    TORCH = "torch"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=_PANEL)(segment)


def segment(
    volume: Annotated[
        Path,
        typer.Argument(metavar="VOL.zarr", help="Region of a cell; y crosses all its layers."),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="LABELS.zarr", help="Volume with labels to write.")
    ],
    method: Annotated[MethodChoice | None, typer.Option(help="How [network].")] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME|DIR", help="Network, or its folder [stream-unet]."),
    ] = None,
    engine: Annotated[
        EngineChoice | None, typer.Option(help="What runs it [auto: the fastest that works].")
    ] = None,
    previous: Annotated[
        Path | None,
        typer.Option(metavar="VOL.zarr", help="Scan before, over this one; needs --first too."),
    ] = None,
    first: Annotated[
        Path | None, typer.Option(metavar="VOL.zarr", help="First scan, over this one.")
    ] = None,
    half_cycle: Annotated[
        int,
        typer.Option(min=0, help="From 0; from 1 on lithium may be redeposited."),
    ] = 0,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Store the probability of each class too.")
    ] = False,
    json: JsonOption = False,
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Label the parts of the cell in one volume.

    Volumes of an experiment lie in its folder volumes, all in one frame: with --previous and
    --first the network sees what has changed, how far the electrodes moved is found.

    Example:  lithoscope segment scan_003.zarr --out labels_003.zarr --json
    """
    del store  # every command takes it; this one writes where --out says
    from lithoscope_services.segment_file import EarlierFiles, segment_file
    from lithoscope_services.settings import load_settings, replace_values

    if (previous is None) != (first is None):
        raise typer.BadParameter("give --previous and --first together, or neither")
    given = {
        "segment.method": None if method is None else method.value,
        "segment.model": model,
        "segment.engine": None if engine is None else engine.value,
        "segment.probabilities": probabilities or None,
    }
    changes = {key: value for key, value in given.items() if value is not None}
    settings = replace_values(load_settings(config), changes).segment
    earlier = None
    if previous is not None and first is not None:
        earlier = EarlierFiles(previous=previous, first=first)
    result = segment_file(volume, out, settings, earlier=earlier, half_cycle=half_cycle)
    if json:
        write_json(result)
    else:
        typer.echo(_text(result))


def _text(result: dict[str, Any]) -> str:
    """Say what was done, for people."""
    shape = " x ".join(map(str, result["shape"]))
    by = result["model"] + (f" on {result['engine']}" if "engine" in result else "")
    lines = [f"Wrote {result['labels']}: {shape} voxels by {by}, {result['duration_s']:.1f} s"]
    lines += [f"  {name:20} {n:12d} voxels" for name, n in result["voxels"].items() if n]
    for rule, n in result.get("relabelled", {}).items():
        if n:
            lines.append(f"  rule {rule.replace('_', ' ')}: {n} voxels")
    return "\n".join(lines)

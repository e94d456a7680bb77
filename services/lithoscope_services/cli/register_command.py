"""One step by itself: ``register``."""

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
_EXIT_UNREGISTERED = 1


class EngineChoice(StrEnum):
    """Who finds the transform."""

    AUTO = "auto"
    GAUSS_NEWTON = "gauss-newton"
    SIMPLEITK = "simpleitk"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="register", rich_help_panel=_PANEL)(register_volumes)


def register_volumes(
    fixed: Annotated[
        Path, typer.Argument(metavar="FIXED.zarr", help="Volume that stays, e.g. of scan 0.")
    ],
    moving: Annotated[
        Path, typer.Argument(metavar="MOVING.zarr", help="Volume to lay over it; same grid.")
    ],
    engine: Annotated[
        EngineChoice | None, typer.Option(help="Who finds the transform [auto: gauss-newton].")
    ] = None,
    max_shift_px: Annotated[
        float | None,
        typer.Option("--max-shift", metavar="PX", help="How far to look along each axis [12]."),
    ] = None,
    whole: Annotated[
        bool,
        typer.Option(
            "--whole", help="Compare everything, not only what lithium does not move in a cell."
        ),
    ] = False,
    json: JsonOption = False,
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Find how one volume lies against another: three rotations, three shifts, and a verdict.

    Ends with exit code 1 if they cannot be registered.

    Example:  lithoscope register scan_000.zarr scan_001.zarr --json
    """
    del store  # every command takes it; this one writes to standard output
    from lithoscope_services.register_file import register_files
    from lithoscope_services.settings import load_settings, replace_values

    given = {
        "register.engine": None if engine is None else engine.value,
        "register.max_shift_px": max_shift_px,
    }
    changes = {key: value for key, value in given.items() if value is not None}
    settings = replace_values(load_settings(config), changes)
    result = register_files(fixed, moving, settings, is_whole=whole)
    if json:
        write_json(result)
    else:
        typer.echo(_text(result))
    if result["verdict"] == "unregistered":
        typer.echo(
            f"lithoscope: error: {moving}: not registered to {fixed}: "
            f"{'; '.join(result['reasons'])}",
            err=True,
        )
        raise typer.Exit(_EXIT_UNREGISTERED)


def _text(result: dict[str, Any]) -> str:
    """Write the transform for people."""
    lines = [f"{result['verdict']} by {result['engine']}, {result['compared']} compared"]
    lines += [
        f"  {axis}: rotation {result['rotation_deg'][axis]:+8.4f} deg, "
        f"shift {result['shift_px'][axis]:+8.3f} voxels = {result['shift_um'][axis]:+9.3f} um"
        for axis in ("z", "y", "x")
    ]
    centre = ", ".join(f"{value:g}" for value in result["centre_px"].values())
    lines += [
        f"  about voxel ({centre}) (z, y, x); {result['convention']}",
        f"  residual {result['residual_px']:.3f} voxels, uncertainty "
        f"{result['uncertainty_px']:.3f} voxels, texture score {result['texture_score']:.0f}, "
        f"overlap {result['overlap']:.0%}",
    ]
    return "\n".join(lines)

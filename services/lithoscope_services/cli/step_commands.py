"""One step by itself, files in, files out: reconstruct, measure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from lithoscope_services.cli.options import (
    DEFAULT_STORE,
    ConfigOption,
    CsvOption,
    JsonOption,
    StoreOption,
    refuse_both,
    write_json,
)

_PANEL = "Single steps"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=_PANEL)(reconstruct)
    app.command(rich_help_panel=_PANEL)(measure)


def reconstruct(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="DXchange or NXtomo file, or folder of TIFFs.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="VOL.zarr", help="Volume to write (OME-Zarr).")
    ],
    axis: Annotated[
        str | None,
        typer.Option(metavar="auto|PX", help="Detector column of the rotation axis [auto]."),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Method [auto: the fastest here]: fourier, fourier-cuda, astra, astra-sirt, "
            "astra-cgls, tomopy, tomopy-sirt and others of TomoPy.",
        ),
    ] = None,
    rings: Annotated[
        str | None,
        typer.Option(
            metavar="none|median|titarenko|sorting|wavelet", help="Ring removal [median]."
        ),
    ] = None,
    zingers: Annotated[
        float | None,
        typer.Option(
            metavar="T", help="Take pixels off that exceed their neighbours by T open beams [0]."
        ),
    ] = None,
    phase: Annotated[
        str | None,
        typer.Option(
            metavar="auto|none|paganin", help="Phase retrieval [auto: if known how far]."
        ),
    ] = None,
    distance_mm: Annotated[
        float | None,
        typer.Option(metavar="Z", help="Sample to detector, mm [from the file]."),
    ] = None,
    rows: Annotated[
        str | None, typer.Option(metavar="A:B", help="Only these detector rows, B excluded.")
    ] = None,
    voxel_um: Annotated[
        float | None,
        typer.Option(metavar="V", help="Pixel in the plane of the sample, µm [from the file]."),
    ] = None,
    preview: Annotated[
        bool,
        typer.Option(
            "--preview", help="Only a coarse volume and a picture of three slices beside it."
        ),
    ] = False,
    json: JsonOption = False,
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Reconstruct one stored scan into a volume that napari and others open.

    Grey values are linear attenuation coefficients in 1/cm. Rows are worked on as many at a time
    as fit into half of the free memory.

    Example:  lithoscope reconstruct scan_000.h5 --out scan_000.zarr
    """
    del store  # every command takes it; this one writes where --out says
    from lithoscope_services.cli.progress import progress_bar
    from lithoscope_services.preview_file import run_preview
    from lithoscope_services.reconstruct_file import plan_reconstruction, run_reconstruction
    from lithoscope_services.settings import load_settings, replace_values
    from lithoscope_services.sources.files import open_scan

    given = {
        "scan.rotation_axis": _axis(axis),
        "scan.voxel_size_um": voxel_um,
        "scan.distance_mm": distance_mm,
        "reconstruct.backend": backend,
        "reconstruct.phase": phase,
        "reconstruct.rings": rings,
        "reconstruct.zingers": zingers,
    }
    changes = {key: value for key, value in given.items() if value is not None}
    settings = replace_values(load_settings(config), changes)
    with open_scan(file) as scan:
        first, last = _rows(rows, scan.frame_shape[0])
        plan = plan_reconstruction(scan, settings, first_row=first, last_row=last)
        for warning in plan.warnings:
            _warn(warning)
        with progress_bar("reconstructing", last - first) as advance:
            if preview:
                result = run_preview(plan, out, on_rows=advance)
            else:
                result = run_reconstruction(plan, out, on_rows=advance, on_warning=_warn)
    if json:
        write_json(result)
    else:
        _say_result(result, out)


def measure(
    labels: Annotated[
        Path, typer.Argument(metavar="LABELS.zarr", help="Label volume, classes 0 to 8.")
    ],
    voxel_um: Annotated[
        float | None,
        typer.Option(metavar="V", help="Edge of a voxel, µm [from the volume]."),
    ] = None,
    active_area_cm2: Annotated[
        float | None,
        typer.Option(metavar="A", help="Electrode area of the whole cell, cm² [settings]."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Network that made the labels from the image they lie in, or layers: for "
            "intervals.",
        ),
    ] = None,
    json: JsonOption = False,
    csv: CsvOption = False,
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Measure one label volume: volumes, thicknesses, coverage, gaps, dead lithium.

    It is read slab by slab: memory goes with a slab, not with the volume.

    Classes: 0 background, 1 stripping electrode, 2 plating electrode, 3 deposited lithium,
    4 redeposited lithium, 5 dendrite, 6 pit, 7 electrolyte, 8 void.

    Example:  lithoscope measure labels_000.zarr --voxel-um 4.5 --json
    """
    refuse_both(json, csv)
    del store  # every command takes it; this one writes to standard output
    from lithoscope_services.measure_file import measure_label_file
    from lithoscope_services.report import metrics_as_csv
    from lithoscope_services.settings import load_settings

    area_cm2 = active_area_cm2 or load_settings(config).experiment.active_area_cm2
    metrics = measure_label_file(labels, voxel_um=voxel_um, active_area_cm2=area_cm2, model=model)
    if json:
        write_json({"metrics": metrics})
    elif csv:
        typer.echo(metrics_as_csv(metrics), nl=False)
    else:
        from lithoscope_services.cli.tables import print_metrics

        print_metrics(metrics)


def _say_result(result: Mapping[str, Any], out: Path) -> None:  # JSON
    """Say in words what `run_reconstruction` or `run_preview` tells."""
    typer.echo(
        f"Wrote {out}: {' x '.join(map(str, result['shape']))} voxels of "
        f"{result['voxel_um']:g} um, rotation axis at column {result['rotation_axis_px']:.2f} "
        f"({result['axis_verdict']}), {result['duration_s']:.1f} s",
        err=True,
    )
    if "picture" in result:
        what = f"a quick look at pixels binned by {result['binning']}: see {result['picture']}"
    else:
        what = f"{result['backend_reason']}; {result['memory']}"
    typer.echo(what, err=True)


def _warn(text: str) -> None:
    typer.echo(f"lithoscope: warning: {text}", err=True)


def _axis(text: str | None) -> float | str | None:
    if text is None or text == "auto":
        return text
    try:
        return float(text)
    except ValueError:
        message = f"--axis is {text!r}; give auto or a detector column such as 295.7"
        raise typer.BadParameter(message) from None


def _rows(text: str | None, n_rows: int) -> tuple[int, int]:
    """Read ``A:B`` as a run of detector rows; either end may be left out."""
    if text is None:
        return 0, n_rows
    first_text, colon, last_text = text.partition(":")
    try:
        first = int(first_text or 0)
        last = int(last_text or n_rows) if colon else first + 1
    except ValueError:
        message = f"--rows is {text!r}; give A:B such as 10:20"
        raise typer.BadParameter(message) from None
    if not 0 <= first < last <= n_rows:
        message = f"--rows is {text!r}, the detector has rows 0:{n_rows}"
        raise typer.BadParameter(message)
    return first, last

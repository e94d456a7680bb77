"""A network that goes on learning from painted slices: ``model fine-tune``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lithoscope_services.cli.options import DEFAULT_STORE, JsonOption, StoreOption, write_json

if TYPE_CHECKING:
    from lithoscope_models.fine_tune.report import Findings

_S_PER_MIN = 60.0


def register(models: typer.Typer) -> None:
    """Add the command to ``model``."""
    models.command(name="fine-tune")(fine_tune_network)


def fine_tune_network(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder of the new model and its report.")
    ],
    experiment: Annotated[
        str | None,
        typer.Option("--experiment", metavar="NAME", help="Whose painted slices to learn from."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            metavar="LABELS",
            help="Painted slices in files instead: OME-Zarr, TIFF or folder; 0 to 6, 255 for "
            "not painted.",
        ),
    ] = None,
    grey: Annotated[
        Path | None, typer.Option("--grey", metavar="VOLUME", help="Their volume, with --labels.")
    ] = None,
    voxel_um: Annotated[
        float | None, typer.Option("--voxel-um", min=0, help="Its voxels, µm, with --labels.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    start: Annotated[
        str, typer.Option("--from", metavar="MODEL", help="Model that goes on learning.")
    ] = "stream-unet",
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the new model [that of its folder].")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps; 300 take about four minutes.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal weights.")] = 7,
    least_iou: Annotated[
        float,
        typer.Option(min=0, max=1, help="That each class needs on held-out slices."),
    ] = 0.5,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each process.")] = 1,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes that draw patches ahead of the training.")
    ] = 1,
    accelerator: Annotated[str, typer.Option(help="As Lightning names it: cpu, gpu.")] = "cpu",
    json: JsonOption = False,
) -> None:
    """Fine-tune a network on a few painted slices, and judge it on some that it has not seen.

    Slices painted on the Labels page are taken with the earlier scans of their experiment. Two of
    seven are held out, in blocks; the report compares the network before and after on them. A
    model that does well there counts as validated on that experiment.

    Example:  lithoscope model fine-tune --experiment cell-7 --out cell-7-model
    """
    from lithoscope_models.fine_tune.run import FineTuning, fine_tune
    from lithoscope_models.train.machine import Machine
    from lithoscope_services.fine_tuning import (
        model_name,
        paint_from_experiment,
        paint_from_files,
    )

    if (experiment is None) == (labels is None):
        raise typer.BadParameter("give --experiment NAME, or --labels with --grey and --voxel-um")
    if labels is not None and (grey is None or voxel_um is None):
        raise typer.BadParameter("--labels needs --grey VOLUME and --voxel-um")
    if experiment is not None:
        paint_from_experiment(store, experiment, out, model=start)
    elif labels is not None and grey is not None and voxel_um is not None:
        paint_from_files(grey, labels, out, voxel_um=voxel_um, model=start)
    found = fine_tune(
        FineTuning(
            start=start,
            name=name or model_name(out),
            experiment=experiment,
            n_steps=steps,
            seed=seed,
            least_iou=least_iou,
            command=" ".join(["lithoscope", *sys.argv[1:]]),
        ),
        out,
        tell=lambda line: typer.echo(line, err=True),
        machine=Machine(n_threads=threads, n_workers=workers, accelerator=accelerator),
        is_watched=sys.stderr.isatty(),
    )
    if json:
        write_json(_document(found, out))
    else:
        typer.echo(_text(found, out))


def _document(found: "Findings", out: Path) -> dict[str, Any]:
    return {
        "model": str(out),
        "report": str(out / "report.md"),
        "name": found.name,
        "experiment": found.experiment,
        "training_slices": [[each.scan, each.z] for each in found.training_slices],
        "held_out_slices": [[each.scan, each.z] for each in found.held_out_slices],
        "painted_voxels": found.after.n_voxels,
        "before": found.before.iou,
        "after": found.after.iou,
        "is_validated": not found.why_not and found.experiment is not None,
        "why_not": found.why_not,
        "cpu_s": found.cpu_s,
    }


def _text(found: "Findings", out: Path) -> str:
    held_out, n = len(found.held_out_slices), len(found.training_slices)
    lines = [
        f"{out}: learned from {n} slices, judged on {held_out} others, "
        f"{found.cpu_s / _S_PER_MIN:.1f} minutes of processor time",
        f"  {'IoU':14} before  after",
    ]
    for each, value in found.after.iou.items():
        lines.append(f"  {each:14} {found.before.iou.get(each, float('nan')):6.3f} {value:6.3f}")
    if found.why_not:
        lines.append(f"  does not count as validated: {found.why_not}")
    elif found.experiment is not None:
        lines.append(f"  counts as validated on {found.experiment}")
    lines.append(f"  report: {out / 'report.md'}")
    return "\n".join(lines)

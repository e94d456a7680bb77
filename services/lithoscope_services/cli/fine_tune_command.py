"""A network that goes on learning from painted slices: ``model fine-tune``."""

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lithoscope_services.cli.options import DEFAULT_STORE, JsonOption, StoreOption, write_json

if TYPE_CHECKING:
    from lithoscope_models.fine_tune.report import Findings

_S_PER_MIN = 60.0
#: Behind all stages: a scan must not wait for a training.
_NICE = 10


def register(models: typer.Typer) -> None:
    """Add the command to ``model``."""
    models.command(name="fine-tune")(fine_tune_network)


def fine_tune_network(
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder of the new model and its report [with --experiment: the next one in "
            ".lithoscope/fine-tuned of the store, where the Labels page looks].",
        ),
    ] = None,
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
    steps: Annotated[int, typer.Option(min=1, help="Steps; 400 take some minutes.")] = 400,
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
    lifeline_fd: Annotated[int | None, typer.Option(hidden=True)] = None,
    json: JsonOption = False,
) -> None:
    """Fine-tune a network on a few painted slices, and judge it on some that it has not seen.

    Slices painted on the Labels page are taken with the earlier scans of their experiment. Two of
    seven are held out, in blocks; the report compares the network before and after on them. A
    model that does well there counts as validated on that experiment.

    Example:  lithoscope model fine-tune --experiment cell-7 --out cell-7-model
    """
    if (experiment is None) == (labels is None):
        raise typer.BadParameter("give --experiment NAME, or --labels with --grey and --voxel-um")
    if labels is not None and (grey is None or voxel_um is None):
        raise typer.BadParameter("--labels needs --grey VOLUME and --voxel-um")
    if out is None and experiment is None:
        raise typer.BadParameter("--labels needs --out DIR")
    _need_libraries()
    from lithoscope_models.fine_tune.run import FineTuning
    from lithoscope_models.train.machine import Machine
    from lithoscope_services.fine_tuning import (
        model_name,
        paint_from_experiment,
        paint_from_files,
    )
    from lithoscope_services.followed_fine_tuning import (
        describe_findings,
        end_with,
        follow_fine_tuning,
    )
    from lithoscope_store import Store
    from lithoscope_store.fine_tunes import RunFolder, next_run

    if lifeline_fd is not None:
        end_with(lifeline_fd)
    os.nice(_NICE)
    if out is None and experiment is not None:
        run = next_run(Store(store), experiment)
    else:
        run = RunFolder(Path() if out is None else out)
    if experiment is not None:
        gather = partial(paint_from_experiment, store, experiment, run.path, model=start)
    elif labels is not None and grey is not None and voxel_um is not None:
        gather = partial(paint_from_files, grey, labels, run.path, voxel_um=voxel_um, model=start)
    found = follow_fine_tuning(
        FineTuning(
            start=start,
            name=name or model_name(run.path),
            experiment=experiment,
            n_steps=steps,
            seed=seed,
            least_iou=least_iou,
            command=" ".join(["lithoscope", *sys.argv[1:]]),
        ),
        run,
        gather,
        tell=lambda line: typer.echo(line, err=True),
        machine=Machine(n_threads=threads, n_workers=workers, accelerator=accelerator),
        is_watched=sys.stderr.isatty(),
    )
    if json:
        write_json(describe_findings(found, run.path))
    else:
        typer.echo(_text(found, run.path))


def _need_libraries() -> None:
    """Raise an error that says what to install, before anything is begun."""
    from importlib.util import find_spec

    from lithoscope_pipeline.errors import MissingLibraryError

    missing = [each for each in ("torch", "lightning", "monai") if find_spec(each) is None]
    if missing:
        raise MissingLibraryError(
            f"fine-tuning needs {', '.join(missing)}; pip install 'lithoscope[train]'"
        )


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

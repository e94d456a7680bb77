"""Forests from painted slices: ``model forest``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lithoscope_services.cli.options import JsonOption, write_json


def register(models: typer.Typer) -> None:
    """Add the command to ``model``."""
    models.command(name="forest")(forest)


def forest(
    grey: Annotated[
        Path, typer.Argument(metavar="GREY", help="Volume: OME-Zarr, TIFF, or folder of slices.")
    ],
    labels: Annotated[
        Path | None,
        typer.Argument(
            metavar="LABELS", help="Painted classes 0 to 254, 255 where nobody painted."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Forest to write [forest.safetensors]."),
    ] = None,
    use: Annotated[
        Path | None,
        typer.Option("--use", metavar="FILE", help="A forest that exists, instead of LABELS."),
    ] = None,
    apply: Annotated[
        Path | None,
        typer.Option("--apply", metavar="OUT.tif", help="Label all of GREY, as a TIFF stack."),
    ] = None,
    trees: Annotated[int, typer.Option(min=1, max=500, help="Trees.")] = 30,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal forests.")] = 0,
    json: JsonOption = False,
) -> None:
    """Train a random forest on scribbles in seconds, and label a volume with it.

    With --apply the slices whose labels would teach most are named: paint them next.

    Example:  lithoscope model forest scan.zarr painted.tif --out forest.safetensors --apply l.tif
    """
    from lithoscope_pipeline.scribbles import ForestParameters
    from lithoscope_services.forest_labels import label_by_forest, train_forest_file

    if (labels is None) == (use is None):
        raise typer.BadParameter("give LABELS to train on, or --use FILE, and not both")
    if use is not None and (apply is None or out is not None):
        raise typer.BadParameter("--use goes with --apply, and without --out")
    file = use or out or Path("forest.safetensors")
    document: dict[str, Any] = {"forest": str(file)}
    if labels is not None:
        document = train_forest_file(
            grey, labels, file, ForestParameters(n_trees=trees, seed=seed)
        )
    if apply is not None:
        known = tuple(document.get("labelled_slices", ()))
        document["applied"] = label_by_forest(file, grey, apply, labelled=known)
    if json:
        write_json(document)
    else:
        typer.echo(_text(document))


def _text(document: dict[str, Any]) -> str:
    lines = []
    if "labelled_voxels" in document:
        lines.append(
            f"Wrote {document['forest']}: trained on {document['coverage']:.1%} of "
            f"{len(document['labelled_slices'])} slices"
        )
        lines += [f"  class {key:>3} {n:10d} px" for key, n in document["labelled_voxels"].items()]
    if "applied" in document:
        applied = document["applied"]
        lines.append(f"Wrote {applied['labels']}, mean doubt {applied['mean_doubt']:.3f} of 1")
        lines += [f"  class {key:>3} {n:10d} voxels" for key, n in applied["voxels"].items()]
        if applied["suggested_slices"]:
            lines.append(f"  paint next: slices {applied['suggested_slices']}")
    return "\n".join(lines)

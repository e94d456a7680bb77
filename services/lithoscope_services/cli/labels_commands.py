"""Painted labels as files: ``labels import`` and ``labels export``."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lithoscope_services.cli.options import DEFAULT_STORE, JsonOption, StoreOption, write_json

if TYPE_CHECKING:
    from lithoscope_services.painting.label_files import LabelValues

_PANEL = "Networks"


class Program(StrEnum):
    """Whose numbers the values of a file are."""

    LITHOSCOPE = "lithoscope"
    NAPARI = "napari"
    ILASTIK = "ilastik"


class Form(StrEnum):
    """How labels are written."""

    TIFF = "tiff"
    PNG = "png"
    NAPARI = "napari"
    ILASTIK = "ilastik"


class PaintAxis(StrEnum):
    """Normal of the slices that were painted."""

    Z = "z"
    Y = "y"
    X = "x"


ExperimentArgument = Annotated[
    str, typer.Argument(metavar="EXPERIMENT", help="Its name in the store.")
]
ScanOption = Annotated[int, typer.Option("--scan", min=0, max=9999, help="Scan painted on.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    labels = typer.Typer(
        help="Labels that people paint: take them from files, write them into files.",
        no_args_is_help=True,
    )
    labels.command(name="import")(import_)
    labels.command(name="export")(export)
    app.add_typer(labels, name="labels", rich_help_panel=_PANEL)


def import_(
    experiment: ExperimentArgument,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="PNG, TIFF, a folder of slices, OME-Zarr, or HDF5 of ilastik."
        ),
    ],
    scan: ScanOption,
    program: Annotated[
        Program | None,
        typer.Option(
            "--from",
            help="Whose values: lithoscope has classes 0 to 6 and 255 where nobody painted; "
            "napari and ilastik have 0 there, and classes 1 to 7. By default HDF5 is ilastik's.",
        ),
    ] = None,
    class_: Annotated[
        list[str] | None,
        typer.Option(
            "--class",
            metavar="VALUE=NAME",
            help="What a value means, such as 2=dendrite; again for each. Then no others do.",
        ),
    ] = None,
    unpainted: Annotated[
        int | None, typer.Option("--unpainted", metavar="VALUE", help="Value of no label.")
    ] = None,
    person: Annotated[
        str | None,
        typer.Option("--person", metavar="NAME", help="Who painted; by default this account."),
    ] = None,
    number: Annotated[int, typer.Option("--round", min=1, max=99, help="Round.")] = 1,
    axis: Annotated[PaintAxis, typer.Option("--axis", help="Slices that were painted.")] = (
        PaintAxis.Z
    ),
    index: Annotated[
        int | None,
        typer.Option("--index", min=0, metavar="N", help="FILE is this one slice alone."),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset", metavar="PATH", help="Of an HDF5 file; by default exported_data."
        ),
    ] = None,
    json: JsonOption = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Take labels from files, as if somebody had painted them on the page.

    Works while an instance runs, and on experiments that are over.

    Example:  lithoscope labels import cell-7 labels.h5 --scan 0 --class 1=electrolyte
    """
    from lithoscope_services.hindsight.volume_files import HDF5_ENDINGS
    from lithoscope_services.keep.saying import person_of_account
    from lithoscope_services.painting.exchange import ImportOptions, import_labels
    from lithoscope_store import Store
    from lithoscope_store.painted_planes import PaintLayer

    is_hdf5 = file.suffix.lower() in HDF5_ENDINGS
    chosen = program or (Program.ILASTIK if is_hdf5 else Program.LITHOSCOPE)
    who = person or person_of_account()
    document = import_labels(
        ImportOptions(
            store=Store(store),
            experiment=experiment,
            scan=scan,
            file=file,
            layer=PaintLayer(axis=axis.value, person=who, round=number),
            values=_values(chosen, class_ or [], unpainted),
            dataset=dataset,
            index=index,
        )
    )
    if json:
        write_json(document)
    else:
        _say(document, f"{len(document['planes'])} {axis.value} slices of {who}, round {number}")


def export(
    experiment: ExperimentArgument,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File, or folder for PNG.")],
    scan: ScanOption,
    form: Annotated[
        Form,
        typer.Option(
            "--to",
            help="tiff and png: classes 0 to 6, 255 where nobody painted, as model train takes "
            "them; napari (TIFF) and ilastik (HDF5): 0 there, classes 1 to 7.",
        ),
    ] = Form.TIFF,
    person: Annotated[
        str | None, typer.Option("--person", metavar="NAME", help="Of one person alone.")
    ] = None,
    number: Annotated[
        int | None, typer.Option("--round", min=1, max=99, help="Of one round alone.")
    ] = None,
    json: JsonOption = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Write what people painted on a scan as one volume; later rounds stand over earlier ones.

    Example:  lithoscope labels export cell-7 painted.tif --scan 0
    """
    from lithoscope_services.painting.exchange import export_labels
    from lithoscope_store import Store

    paths = Store(store).experiment(experiment)
    document = export_labels(paths, scan, out, form.value, person=person, number=number)
    if json:
        write_json(document)
    else:
        _say(document, f"{len(document['planes'])} slices by {', '.join(document['people'])}")
        typer.echo(f"  grey values: {document['grey']}")


def _values(program: Program, told: list[str], unpainted: int | None) -> "LabelValues":
    from lithoscope_pipeline.labels import UNLABELLED, SegmentClass
    from lithoscope_services.painting.label_files import LabelValues

    values = dict(LabelValues.of(program.value).class_of)
    if told:
        names = {each.key: int(each) for each in SegmentClass}
        values = {each: to for each, to in values.items() if to == UNLABELLED}
        for text in told:
            value, _, name = text.partition("=")
            if not value.isdecimal() or name not in names:
                raise typer.BadParameter(
                    f"--class {text}: give VALUE=NAME, NAME one of {', '.join(names)}"
                )
            values[int(value)] = names[name]
    if unpainted is not None:
        values = {each: to for each, to in values.items() if to != UNLABELLED}
        values[unpainted] = UNLABELLED
    return LabelValues(values)


def _say(document: dict[str, Any], what: str) -> None:
    typer.echo(f"Wrote {document['labels']}: {what}")
    for name, n_pixels in document["pixels"].items():
        typer.echo(f"  {name:12} {n_pixels:10d} px")

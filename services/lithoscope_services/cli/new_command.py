"""``lithoscope new``: set up an experiment from flags, questions, a preset and a stream."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lithoscope_services.cli.new_questions import ask, find_clock_offset_s
from lithoscope_services.cli.options import JsonOption, write_json

if TYPE_CHECKING:
    from lithoscope_services.listen import SourceFinding
    from lithoscope_services.setup import Preset

_PANEL, _CELL, _SCAN, _SOURCE = "Run", "The cell", "A scan", "Where frames come from"


class StationarySide(StrEnum):
    """Electrodes."""

    STRIPPING = "stripping"
    PLATING = "plating"


class FirstPlatingSide(StrEnum):
    """Sides of a slice."""

    HIGH = "high"
    LOW = "low"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("new", rich_help_panel=_PANEL)(new)


def new(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Name of the experiment.")
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="PLACE",
            help="Listen to tcp://HOST:PORT, ipc:///path or pva://HOST/CHANNEL, or look at a "
            "scan, a folder of scans or a recording; what it says is filled in. Without NAME it "
            "is only printed.",
            rich_help_panel=_SOURCE,
        ),
    ] = None,
    listen_s: Annotated[
        float,
        typer.Option(min=0.1, max=600, help="How long to listen, s.", rich_help_panel=_SOURCE),
    ] = 10.0,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="PRESET",
            help="Answers that hold at one place, such as aps-2bm-tomoscan; ? lists them.",
            rich_help_panel=_SOURCE,
        ),
    ] = None,
    projections: Annotated[
        int | None, typer.Option(help="Projections of a scan.", rich_help_panel=_SOURCE)
    ] = None,
    darks: Annotated[
        int | None, typer.Option(help="Darks before them.", rich_help_panel=_SOURCE)
    ] = None,
    flats: Annotated[
        int | None, typer.Option(help="Flats before them.", rich_help_panel=_SOURCE)
    ] = None,
    flats_after: Annotated[
        int | None, typer.Option(help="Flats after them.", rich_help_panel=_SOURCE)
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder into which scans, or the files of detectors, are written.",
            rich_help_panel=_SOURCE,
        ),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any other setting, such as source.theta_channel=PV; again for several.",
            rich_help_panel=_SOURCE,
        ),
    ] = None,
    sample: Annotated[
        str | None, typer.Option(help="Name of the cell, for people.", rich_help_panel=_CELL)
    ] = None,
    active_area_cm2: Annotated[
        float | None,
        typer.Option(help="Electrode area of the whole cell, cm².", rich_help_panel=_CELL),
    ] = None,
    stack_um: Annotated[
        float | None,
        typer.Option(
            help="Distance of the electrodes' outer faces before cycling, by a gauge, µm.",
            rich_help_panel=_CELL,
        ),
    ] = None,
    edge_on_deg: Annotated[
        float | None,
        typer.Option(
            help="Stage angle at which the beam runs along the electrodes, degrees [90].",
            rich_help_panel=_CELL,
        ),
    ] = None,
    stationary_side: Annotated[
        StationarySide | None,
        typer.Option(help="Electrode that does not move [stripping].", rich_help_panel=_CELL),
    ] = None,
    first_plating_side: Annotated[
        FirstPlatingSide | None,
        typer.Option(
            help="Side of a slice that receives lithium first [high]; low adds 180 to the angle.",
            rich_help_panel=_CELL,
        ),
    ] = None,
    current_sign: Annotated[
        int | None,
        typer.Option(
            help="Sign of the current in the first half-cycle [1].", rich_help_panel=_CELL
        ),
    ] = None,
    clock_offset_s: Annotated[
        float | None,
        typer.Option(help="Added to the cycler's times, s [0].", rich_help_panel=_CELL),
    ] = None,
    marker: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Cycler's record (CSV) that begins with a marker: a pulse of under a minute.",
            rich_help_panel=_CELL,
        ),
    ] = None,
    marker_at_s: Annotated[
        float | None,
        typer.Option(
            help="When the marker began by the clock of the scans, s; both give the offset.",
            rich_help_panel=_CELL,
        ),
    ] = None,
    n_scans: Annotated[
        int | None, typer.Option("--scans", help="Scans planned.", rich_help_panel=_SCAN)
    ] = None,
    voxel_um: Annotated[
        float | None,
        typer.Option(help="Detector pixel in the plane of the sample, µm.", rich_help_panel=_SCAN),
    ] = None,
    energy_kev: Annotated[
        float | None,
        typer.Option("--energy-kev", help="Photon energy, keV.", rich_help_panel=_SCAN),
    ] = None,
    distance_mm: Annotated[
        float | None, typer.Option(help="Sample to detector, mm.", rich_help_panel=_SCAN)
    ] = None,
    tiles: Annotated[
        int | None,
        typer.Option(help="Vertical fields of view of a scan [1].", rich_help_panel=_SCAN),
    ] = None,
    deadline_s: Annotated[
        float | None,
        typer.Option(
            help="Time from the last projection until the answer must be there, s [600].",
            rich_help_panel=_SCAN,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="File to write [NAME.toml].")
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace a file that is there.")] = False,
    values: Annotated[
        bool, typer.Option("--values", help="Print what is asked, as JSON, and nothing else.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Set up an experiment: flags, questions, a preset and a stream become one settings file.

    What a person says stands before what the stream says, and that before the
    preset. Questions are asked only at a terminal, and only for what nothing
    has answered. --json prints what was found at PLACE.

    Example:  lithoscope new cell-7 --active-area-cm2 0.5 --scans 25

    Example:  lithoscope new cell-7 --from tcp://dcu:31001 --projections 1500
    --darks 20 --flats 50 --voxel-um 1.33
    """
    if values:
        _print_values()
        return
    chosen = _preset(preset)
    finding = None if from_ is None else _listen(from_, listen_s, json=json)
    if name is None and finding is not None and not sys.stdin.isatty():
        return
    said = {
        "sample": sample,
        "scans": n_scans,
        "voxel-um": voxel_um,
        "stack-um": stack_um,
        "energy-kev": energy_kev,
        "distance-mm": distance_mm,
        "edge-on-deg": edge_on_deg,
        "stationary-side": None if stationary_side is None else stationary_side.value,
        "first-plating-side": None if first_plating_side is None else first_plating_side.value,
        "active-area-cm2": active_area_cm2,
        "current-sign": current_sign,
        "clock-offset-s": find_clock_offset_s(clock_offset_s, marker, marker_at_s),
        "tiles": tiles,
        "deadline-s": deadline_s,
        "darks": darks,
        "flats": flats,
        "projections": projections,
        "flats-after": flats_after,
        "folder": None if folder is None else str(folder.resolve()),
    }
    if sys.stdin.isatty():
        name = ask(name, said, chosen, finding)
    _make(name, said, given or (), chosen, finding, out=out, force=force, quiet=json)


def _make(
    name: str | None,
    said: dict[str, Any],  # values of any key of the settings
    given: "list[str] | tuple[str, ...]",
    chosen: "Preset | None",
    finding: "SourceFinding | None",
    *,
    out: Path | None,
    force: bool,
    quiet: bool,
) -> None:
    from lithoscope_services.reprocess.plan import parse_given
    from lithoscope_services.settings import render_settings
    from lithoscope_services.setup import Answers, put_together

    by_key = {**_keyed(said), **parse_given(given)}
    by_key |= {} if name is None else {"experiment.name": name}
    answers = Answers(
        preset={} if chosen is None else chosen.values,
        heard={} if finding is None else finding.settings,
        given=by_key,
        stationary_side=said["stationary-side"],
        first_plating_side=said["first-plating-side"],
    )
    if finding is not None:
        _check_needs(finding, answers)
    settings = put_together(answers)
    target = out or Path(f"{settings.experiment.name}.toml")
    # "x" makes the check and the writing one step: no file of somebody else is lost.
    with target.open("w" if force else "x", encoding="utf-8") as stream:
        stream.write(render_settings(settings))
    for note in () if chosen is None else chosen.notes:
        typer.echo(f"Note: {note}", err=True)
    if finding is not None:
        _warn_of_pixel(finding, by_key)
    if quiet:
        return
    typer.echo(f"Wrote {target}. Change it with any editor, then:")
    typer.echo(f"  lithoscope config check {target}")
    typer.echo(f"  lithoscope up --config {target}")
    typer.echo(f"  lithoscope test-scan {settings.experiment.name}")


def _keyed(said: dict[str, Any]) -> dict[str, Any]:
    """Give the answers by key of the settings; sides are no setting of their own."""
    from lithoscope_services.setup import SETUP_VALUES

    return {
        value.key: said[value.name]
        for value in SETUP_VALUES
        if said[value.name] is not None and not value.name.endswith("-side")
    }


def _print_values() -> None:
    from lithoscope_services.setup import SETUP_VALUES

    write_json([value.as_json() for value in SETUP_VALUES])


def _preset(name: str | None) -> "Preset | None":
    from lithoscope_services.setup import load_preset, preset_names

    if name == "?":
        for each in preset_names():
            typer.echo(f"{each:<20} {load_preset(each).title}")
        raise typer.Exit
    return None if name is None else load_preset(name)


def _listen(text: str, for_s: float, *, json: bool) -> "SourceFinding":
    """Listen and print; an unsupported stream ends the command with exit code 1."""
    from lithoscope_services.cli.setup_tables import print_finding
    from lithoscope_services.listen import listen_to, parse_place

    place = parse_place(text)
    if place.kind != "file":
        typer.echo(f"Listening to {text} for {for_s:g} s …", err=True)
    finding = listen_to(place, for_s)
    if json:
        write_json(finding.as_json())
    else:
        print_finding(finding)
    if finding.unsupported:
        typer.echo(f"lithoscope: error: {text}: {finding.unsupported}", err=True)
        raise typer.Exit(1)
    return finding


def _check_needs(finding: "SourceFinding", answers: Any) -> None:  # Answers
    from lithoscope_services.errors import SourceError

    known = answers.preset.keys() | answers.given.keys()
    missing = [need for need in finding.needs if need.key not in known]
    if missing:
        text = "; ".join(f"{need.what} is missing: give {need.supply}" for need in missing)
        raise SourceError(f"{finding.place}: {text}")


def _warn_of_pixel(finding: "SourceFinding", by_key: dict[str, Any]) -> None:
    from lithoscope_pipeline.setup_checks import check_pixel_agreement

    set_um, said_um = (
        by_key.get("scan.voxel_size_um"),
        finding.settings.get("scan.voxel_size_um"),
    )
    if set_um is None or not isinstance(said_um, float):
        return
    found = check_pixel_agreement(float(set_um), said_um, finding.place)
    if found.verdict == "wrong":
        typer.echo(f"lithoscope: warning: pixel size: {found.text}; {found.advice}", err=True)

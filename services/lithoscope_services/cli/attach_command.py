"""Attach the record of a cycler to an experiment after the fact."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lithoscope_services.cli.options import (
    DEFAULT_STORE,
    ConfigOption,
    JsonOption,
    StoreOption,
    write_json,
)

if TYPE_CHECKING:
    from lithoscope_services.electrochemistry.attach import Attached

_PANEL = "Stored experiments"
_SHOWN_GAPS = 5


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=_PANEL)(attach)


def attach(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Its name.")],
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="What the cycler wrote: BioLogic .mpr or .mpt, or any table with a heading "
            "(CSV, TXT); several in their order.",
        ),
    ],
    clock_offset_s: Annotated[
        float | None,
        typer.Option(
            "--clock-offset-s",
            metavar="S",
            help="Added to the times of the files, so that they are those of the experiment; "
            "left out, it is found by the pulses between the scans.",
        ),
    ] = None,
    marker_at_s: Annotated[
        float | None,
        typer.Option(
            "--marker-at-s",
            metavar="S",
            help="When the marker (the first run of current of under a minute) began, by the "
            "clock of the experiment.",
        ),
    ] = None,
    json: JsonOption = False,
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Attach what the cycler wrote to an experiment that was taken without it.

    Finds how far the clocks are apart, names the gaps, and writes the samples into the journal;
    samples that are there already stay. The same files again change nothing. Works on sealed
    experiments; an instance that works on one takes samples itself.

    Example:  lithoscope attach cell-7 cell-7_GCPL.mpr
    """
    del config  # every command takes it
    if clock_offset_s is not None and marker_at_s is not None:
        raise typer.BadParameter("give either --clock-offset-s or --marker-at-s")
    from lithoscope_services.electrochemistry.attach import AttachOptions, attach_files

    attached = attach_files(
        AttachOptions(
            store=store,
            experiment=experiment,
            files=files,
            clock_offset_s=clock_offset_s,
            marker_at_s=marker_at_s,
        )
    )
    if json:
        write_json(attached.as_json())
    else:
        _print(attached)


def _print(attached: "Attached") -> None:
    if attached.clock is None:
        typer.echo(f"{attached.experiment}: these files are attached already; nothing changed")
        return
    if not attached.n_samples:
        typer.echo(
            f"{attached.experiment}: {attached.n_stored} samples are stored already, and none of "
            "the files is later; nothing changed"
        )
        return
    clock = attached.clock
    doubt = "" if clock.uncertainty_s is None else f", to {clock.uncertainty_s:.3g} s"
    typer.echo(
        f"{attached.experiment}: {attached.n_samples} samples added, {attached.n_stored} stored, "
        f"{attached.charge_mAh:.6g} mAh at the last"
    )
    typer.echo(f"  clock: {clock.offset_s:+.3f} s{doubt}, by {clock.how}")
    for note in attached.notes:
        typer.echo(f"  note: {note}")
    for gap in attached.gaps[:_SHOWN_GAPS]:
        typer.echo(
            f"  gap: nothing from {gap.begin_s:.0f} to {gap.end_s:.0f} s; {gap.charge_mAh:+.4g} "
            "mAh counted for it, on a straight line"
        )
    if len(attached.gaps) > _SHOWN_GAPS:
        typer.echo(f"  gap: {len(attached.gaps) - _SHOWN_GAPS} more; --json lists them")
    if attached.scans_without_charge:
        numbers = ", ".join(map(str, attached.scans_without_charge[:10]))
        typer.echo(f"  no charge is known for scan {numbers}: the record does not reach there")
    typer.echo(f"To measure with it:  {attached.next_command}")

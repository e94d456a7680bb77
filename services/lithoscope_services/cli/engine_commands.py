"""Networks as files and as programs: ``model export`` and ``model engine``."""

from pathlib import Path
from typing import Annotated

import typer

from lithoscope_services.cli.options import JsonOption, write_json

ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="Name of a network, or the folder of a trained one.")
]


def register(models: typer.Typer) -> None:
    """Add the commands to ``model``."""
    models.command(name="export")(export_model_file)
    models.command(name="engine")(engines_of_model)


def export_model_file(
    model: ModelArgument = "stream-unet",
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE.onnx", help="ONNX file to write.")
    ] = Path("model.onnx"),
    half: Annotated[
        bool, typer.Option("--half", help="float16 arithmetic, as on GPUs; ends stay float32.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Write a network as ONNX, with all its weights inside, for programs of others.

    The model is looked at first, as before any use of it.

    Example:  lithoscope model export stream-unet --out stream-unet.onnx
    """
    from lithoscope_models.engines.half import half_graph
    from lithoscope_models.model_file import load_card, load_model

    card = load_card(model)
    polarity = "denser_is_brighter" if card.polarity == "any" else card.polarity
    loaded = load_model(model, polarity=polarity, classes=card.classes)
    data = half_graph(loaded) if half else loaded.onnx
    out.write_bytes(data)
    inputs = card.inputs.inputs
    document = {
        "onnx": str(out),
        "n_bytes": len(data),
        "precision": "float16" if half else "float32",
        "model_sha256": loaded.sha256,
        "channels": list(inputs.channels),
        "classes": list(card.classes),
        "n_parameters": card.n_parameters,
    }
    if json:
        write_json(document)
        return
    typer.echo(
        f"Wrote {out}: {len(data) / 2**20:.1f} MiB, {card.n_parameters} parameters; input x "
        f"(patches, {inputs.n_channels}, rows, columns), output logits "
        f"(patches, {len(card.classes)}, rows, columns), edges multiples of {card.divisor}"
    )


def engines_of_model(
    model: ModelArgument = "stream-unet",
    json: JsonOption = False,
) -> None:
    """Say which engines run a network on this machine, and why others do not.

    Each is tried in a process of its own on the patch that lies beside the network, and must
    give the same labels. What was built is kept for the next start. Ends with exit code 1 if
    none works.

    Example:  lithoscope model engine
    """
    from dataclasses import asdict

    from lithoscope_models.engines import ENGINES, probe_engine
    from lithoscope_models.model_file import load_card, load_model

    card = load_card(model)
    polarity = "denser_is_brighter" if card.polarity == "any" else card.polarity
    loaded = load_model(model, polarity=polarity)
    probes = [probe_engine(name, loaded) for name in ENGINES]
    chosen = next((probe.engine for probe in probes if probe.works), None)
    if json:
        write_json(
            {
                "model": loaded.card.name,
                "model_sha256": loaded.sha256,
                "chosen": chosen,
                "engines": [{**asdict(probe), "works": probe.works} for probe in probes],
            }
        )
    else:
        for probe in probes:
            typer.echo(
                f"{'->' if probe.engine == chosen else '  '} {probe.engine:17} {probe.text}"
            )
    if chosen is None:
        raise typer.Exit(1)

"""Networks on the processor: engines against each other, and a whole slab against its engine."""

import math
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.patch_latency import latency_table
from benchmarks.tables import Report, Table
from benchmarks.timing import Timings, interleave, one_core, processor_s
from lithoscope_models.card import CardDraft, InputsCard
from lithoscope_models.engines import Engine, EngineName, EngineRequest, Precision, compare_logits
from lithoscope_models.engines.registry import BACKENDS
from lithoscope_models.export import export_model
from lithoscope_models.model_file import CLASSES, DEFAULT_MODEL, Model, load_model
from lithoscope_pipeline.inference import InferenceParameters, infer_slab, plan_tiles
from lithoscope_pipeline.networks import build_network

Patches = NDArray[np.float32]
EDGE_PX: Final = 512
CONTENDERS: Final[tuple[tuple[EngineName, Precision | None], ...]] = (
    ("torch", None),
    ("onnxruntime", None),
    ("openvino", None),
    ("openvino", "bfloat16"),
)
BARS: Final = {"torch": 0.75, "onnxruntime": 0.9}
SLAB_BAR: Final = 1.15
# Patches of a 3896 x 1707 slice at a stride of 384, and slices of the region.
FULL_PATCHES: Final = 10 * 5 * 698
_SLICES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A network and what it is given."""

    title: str
    model: Model
    patch: tuple[int, int, int]


def measure(*, is_quick: bool) -> Report:
    """Time engines, and slabs with all that is done besides."""
    repeats = 1 if is_quick else 7
    edge = 128 if is_quick else EDGE_PX
    tables = []
    with tempfile.TemporaryDirectory() as folder, one_core():
        for case in (_literature(Path(folder), edge), _default(edge)):
            engines = _engines(case)
            timings = _time_engines(case, engines, repeats)
            tables.append(_engine_table(case, engines, timings))
            tables.append(_slab_table(case, engines, repeats))
        tables.append(latency_table(Path(folder), repeats=repeats))
    return Report(
        title="Networks on one core",
        method=(
            "One patch at a time, one thread, one core; seconds of the processor, interleaved, so "
            "that what else runs on the machine hits all of them alike. Ratios are medians over "
            "rounds, with the least and the largest. Bars: the engine that is chosen takes at "
            f"most {BARS['torch']} of torch eager and {BARS['onnxruntime']} of ONNX Runtime on "
            f"`residual-unet` at {EDGE_PX} x {EDGE_PX}; a whole slab at most {SLAB_BAR} of its "
            "engine's own time for the same patches.",
            "`residual-unet` is that of the authors' code (strided convolutions, 24 GFLOP a patch "
            "of 512 x 512), with random weights: agreement of labels is that of an untrained "
            "network, where classes lie close together. Precision is written down: OpenVINO would "
            "take bfloat16 by itself.",
            "The networks of Quenum et al. have random weights too. In the paper U-Net is the "
            "smallest and fastest, then come Y-Net, TransforCNN (three times U-Net) and E-Net.",
        ),
        tables=tuple(tables),
        packages=("torch", "onnxruntime", "openvino", "monai"),
    )


def _literature(folder: Path, edge: int) -> _Case:
    """Export the residual U-Net of Huang et al. with random weights of one seed."""
    import torch

    torch.manual_seed(7)
    inputs = InputsCard(n_neighbours=0, has_previous=False, has_first=False, has_depth=False)
    draft = CardDraft(
        name="residual-unet",
        architecture="residual-unet",
        classes=CLASSES,
        inputs=inputs,
        divisor=64,
    )
    network = build_network("residual-unet", inputs.inputs)
    model = export_model(network, draft, folder / "residual-unet")
    return _Case(title=f"residual-unet, {edge} x {edge}", model=model, patch=(1, edge, edge))


def _default(edge: int) -> _Case:
    model = load_model(DEFAULT_MODEL)
    n_channels = model.card.inputs.inputs.n_channels
    title = f"{DEFAULT_MODEL} as it comes, {edge} x {edge}"
    return _Case(title=title, model=model, patch=(n_channels, edge, edge))


def _engines(case: _Case) -> dict[str, Engine]:
    found = {}
    for name, precision in CONTENDERS:
        if BACKENDS[name].find_problem():
            continue
        request = EngineRequest(patch=case.patch, n_threads=1, precision=precision)
        engine = BACKENDS[name].open(case.model, request)
        found[f"{name} {engine.precision}"] = engine
    return found


def _patches(case: _Case, n: int) -> Patches:
    """Repeat the patch beside the model, which is a typical one, over the size that is timed."""
    patch = case.model.check.x
    repeats = [
        math.ceil(edge / have) for edge, have in zip(case.patch, patch.shape[1:], strict=True)
    ]
    tiled = np.tile(patch, (n, *repeats))
    return np.ascontiguousarray(tiled[:, : case.patch[0], : case.patch[1], : case.patch[2]])


def _time_engines(case: _Case, engines: dict[str, Engine], repeats: int) -> Timings:
    patch = _patches(case, 1)
    return interleave(
        {
            name: partial(processor_s, partial(engine.run, patch))
            for name, engine in engines.items()
        },
        repeats=repeats,
    )


def _engine_table(case: _Case, engines: dict[str, Engine], timings: Timings) -> Table:
    patch = _patches(case, 1)
    reference = engines["torch float32"].run(patch)
    rows = []
    for name, engine in engines.items():
        parity = compare_logits(engine.run(patch), reference)
        seconds = timings.median_s(name)
        rows.append(
            (
                name,
                f"{1e3 * seconds:.0f}",
                timings.ratio_text(name, "torch float32"),
                timings.ratio_text(name, "onnxruntime float32"),
                f"{parity.agreement:.3%}",
                f"{parity.volume_change:.3%}",
                f"{seconds * FULL_PATCHES * (EDGE_PX / case.patch[1]) ** 2 / 3600:.2f}",
            )
        )
    return Table(
        title=case.title,
        columns=(
            "engine",
            "ms a patch",
            "of torch",
            "of ONNX Runtime",
            "labels agree",
            "volumes differ",
            "3896 x 1707 x 698, h",
        ),
        rows=rows,
    )


def _slab_table(case: _Case, engines: dict[str, Engine], repeats: int) -> Table:
    """Time whole slabs: cutting, blending, classes, soft volumes, beside the engine alone."""
    name, engine = next(
        (name, engine) for name, engine in engines.items() if engine.name == "openvino"
    )
    rows = []
    edge = case.patch[1]
    for what, shape in (
        ("one tile a slice", (edge, edge)),
        ("tiles", (edge, 2 * edge - edge // 4)),
    ):
        plan = plan_tiles(shape, largest=(edge, edge), divisor=case.model.card.divisor)
        one = _patches(case, 1)
        inputs = np.concatenate([one, one], axis=3)[:, :, : shape[0], : shape[1]]
        inputs = np.repeat(inputs, _SLICES, axis=0)
        parameters = InferenceParameters(
            plan=plan, batch=engine.batch, n_classes=len(CLASSES), share_of=(2, 3, 4)
        )
        n_patches = len(plan.starts) * _SLICES

        def alone(n: int = n_patches, patch: Patches = one) -> None:
            for _ in range(n):
                engine.run(patch)

        def whole(given: Patches = inputs, chosen: InferenceParameters = parameters) -> None:
            infer_slab(given, engine.run, chosen)

        timings = interleave(
            {"engine": lambda: processor_s(alone), "slab": lambda: processor_s(whole)},
            repeats=repeats,
        )
        rows.append(
            (
                f"{what}: {_SLICES} slices of {shape[0]} x {shape[1]}, {n_patches} patches",
                f"{timings.median_s('slab'):.2f}",
                timings.ratio_text("slab", "engine", digits=3),
            )
        )
    return Table(
        title=f"{case.title}: whole slabs on {name}",
        columns=("slab", "s", "of the engine alone"),
        rows=rows,
    )

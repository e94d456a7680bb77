"""Parameters and time of a patch of the networks of Quenum et al. 2023, in the paper's order."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.tables import Table
from benchmarks.timing import interleave, processor_s
from lithoscope_models.card import CardDraft, InputsCard
from lithoscope_models.engines import Engine, EngineRequest
from lithoscope_models.engines.registry import BACKENDS
from lithoscope_models.export import export_model
from lithoscope_models.model_file import CLASSES
from lithoscope_pipeline.networks import ARCHITECTURES, build_network

#: From the fastest to the slowest in the paper.
ORDER: Final = ("unet", "ynet", "transforcnn", "enet")
PATCH_PX: Final = 128
_ENGINES: Final = ("torch", "onnxruntime", "openvino")
_INPUTS: Final = InputsCard(n_neighbours=0, has_previous=False, has_first=False, has_depth=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Network:
    """A network with its engines, and how many numbers are in it."""

    n_parameters: int
    engines: dict[str, Engine]


def latency_table(folder: Path, *, repeats: int) -> Table:
    """Time one patch of each network on each engine that is here, by turns.

    Parameters
    ----------
    folder
        For the exported networks.
    repeats
        Rounds.
    """
    networks = {name: _opened(name, folder) for name in ORDER}
    patch = np.random.default_rng(7).random((1, 1, PATCH_PX, PATCH_PX), np.float32)
    names = list(next(iter(networks.values())).engines)
    timings = {
        name: interleave(
            {
                each: partial(processor_s, partial(networks[each].engines[name].run, patch))
                for each in ORDER
            },
            repeats=repeats,
        )
        for name in names
    }
    first = networks[ORDER[0]].n_parameters
    rows = [
        [
            each,
            f"{networks[each].n_parameters / 1e6:.2f}",
            f"{networks[each].n_parameters / first:.2f}",
            *(
                f"{1e3 * timings[name].median_s(each):.1f}; "
                f"{timings[name].ratio_text(each, ORDER[0])}"
                for name in names
            ),
        ]
        for each in ORDER
    ]
    return Table(
        title=f"Networks of Quenum et al. 2023, one slice, {PATCH_PX} x {PATCH_PX}",
        columns=(
            *("network", "million parameters", "of `unet`"),
            *(f"{name}, ms a patch; of `unet`" for name in names),
        ),
        rows=rows,
    )


def _opened(name: str, folder: Path) -> _Network:
    import torch

    torch.manual_seed(7)
    network = build_network(name, _INPUTS.inputs)
    chosen = ARCHITECTURES[name]
    draft = CardDraft(
        name=name,
        architecture=name,
        classes=CLASSES,
        inputs=_INPUTS,
        tile_px=(PATCH_PX, PATCH_PX),
        divisor=chosen.divisor,
        is_fixed_size=True,
    )
    model = export_model(network, draft, folder / name)
    request = EngineRequest(patch=(1, PATCH_PX, PATCH_PX), n_threads=1, precision="float32")
    engines = {
        each: BACKENDS[each].open(model, request)
        for each in _ENGINES
        if not BACKENDS[each].find_problem()
    }
    return _Network(
        n_parameters=sum(each.numel() for each in network.parameters()), engines=engines
    )

"""TensorRT for RTX builds our networks ahead of time on a machine that has no GPU.

What a GPU would run is then known as far as it can be without one: the graph is taken, ends and
precision are as asked for.
"""

from functools import cache
from importlib.util import find_spec

import onnx
import pytest
from packaged_model import packaged

from lithoscope_models.card import CardDraft, InputsCard
from lithoscope_models.engines.half import half_graph
from lithoscope_models.engines.tensorrt_build import build_plan
from lithoscope_models.errors import EngineMismatchError, EngineUnavailableError
from lithoscope_models.export import to_onnx
from lithoscope_models.model_file import CLASSES, Model

pytestmark = pytest.mark.skipif(
    find_spec("tensorrt_rtx") is None, reason="pip install 'lithoscope[rtx]' to run it"
)


@cache
def residual_unet() -> Model:
    """Export the residual U-Net of the literature, untrained."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("monai")
    from lithoscope_pipeline.networks import build_network

    torch.manual_seed(1)
    inputs = InputsCard(n_neighbours=0, has_previous=False, has_first=False, has_depth=False)
    draft = CardDraft(
        name="residual-unet",
        architecture="residual-unet",
        classes=CLASSES,
        inputs=inputs,
        divisor=64,
    )
    graph = to_onnx(build_network("residual-unet", inputs.inputs).eval(), draft)
    stream = packaged()
    return Model(folder=stream.folder, card=stream.card, onnx=graph, sha256="0" * 64)


@pytest.mark.parametrize("capability", [(8, 6), (8, 9)])
def test_the_default_network_is_built_in_float16_for_rtx_gpus(capability: tuple[int, int]) -> None:
    graph = half_graph(packaged())

    plan = build_plan(
        "tensorrt_rtx", graph, (8, 20, 128, 128), precision="float16", capability=capability
    )

    assert len(plan.data) > 100_000
    assert plan.ends["x"][1] == plan.ends["logits"][1] == "float32"
    assert plan.ends["x"][0][1] == 20
    assert plan.ends["logits"][0][1] == len(CLASSES)
    assert set(plan.layer_dtypes) == {"float16"}
    convolutions = sum(
        node.op_type in ("Conv", "ConvTranspose")
        for node in onnx.load_model_from_string(graph).graph.node
    )
    assert plan.layer_dtypes["float16"] == convolutions


def test_the_residual_unet_of_the_literature_is_built_in_float16() -> None:
    plan = build_plan(
        "tensorrt_rtx",
        half_graph(residual_unet()),
        (4, 1, 512, 512),
        precision="float16",
        capability=(8, 6),
    )

    # Half of 29.1 million weights of 4 bytes, and little besides.
    assert 55e6 < len(plan.data) < 90e6
    assert set(plan.layer_dtypes) == {"float16"}


def test_an_engine_in_another_precision_than_asked_for_is_an_error() -> None:
    with pytest.raises(EngineMismatchError, match="float32"):
        build_plan(
            "tensorrt_rtx",
            packaged().onnx,
            (1, 20, 64, 64),
            precision="float16",
            capability=(8, 6),
        )


def test_a_data_centre_gpu_is_refused_by_the_library_for_rtx() -> None:
    with pytest.raises(EngineUnavailableError, match="SM90"):
        build_plan(
            "tensorrt_rtx",
            packaged().onnx,
            (1, 20, 64, 64),
            precision="float32",
            capability=(9, 0),
        )


def test_a_graph_that_it_does_not_take_is_a_reason() -> None:
    with pytest.raises(EngineUnavailableError, match="graph not taken"):
        build_plan(
            "tensorrt_rtx", b"nothing", (1, 20, 64, 64), precision="float32", capability=(8, 6)
        )

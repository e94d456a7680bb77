"""A slab is labelled the same however it is cut into slabs, tiles' batches and calls."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from scipy.special import softmax

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.inference import (
    InferenceParameters,
    TilePlan,
    classify_logits,
    infer_slab,
    plan_tiles,
)
from lithoscope_pipeline.inference.tiling import blend_weights

Array = NDArray[np.float32]
N_CLASSES = 7


def logits_of(shape: tuple[int, int], *, seed: int = 1, scale: float = 4.0) -> Array:
    rng = np.random.default_rng(seed)
    return rng.normal(0, scale, (N_CLASSES, *shape)).astype(np.float32)


def network(patches: Array) -> Array:
    """Stand for a network: a mean over 5 x 5 pixels, other weights for each class."""
    smooth = uniform_filter(patches.astype(np.float64), (0, 0, 5, 5), mode="nearest")
    gains = np.cos(np.arange(N_CLASSES * patches.shape[1])).reshape(N_CLASSES, -1)
    return np.einsum("kc,ncyx->nkyx", gains, smooth).astype(np.float32)


def parameters(plan: TilePlan, *, batch: int = 3, **more: object) -> InferenceParameters:
    return InferenceParameters(plan=plan, batch=batch, n_classes=N_CLASSES, **more)  # type: ignore[arg-type]  # options of the test


def test_classes_are_those_of_numpy_and_probabilities_those_of_scipy() -> None:
    logits = logits_of((40, 33))

    found = classify_logits(logits, temperature=1.7, share_of=(2, 3), with_probabilities=True)

    truth = softmax(logits.astype(np.float64) / 1.7, axis=0)
    assert np.array_equal(found.labels, logits.argmax(axis=0))
    # Half of the step of a 255th, and the rounding of float32.
    assert np.abs(found.probabilities / 255 - truth).max() < 0.5 / 255 + 1e-6
    assert np.abs(found.share / 255 - truth[2:4].sum(axis=0)).max() < 0.5 / 255 + 1e-6
    np.testing.assert_allclose(found.soft_px, truth.sum(axis=(1, 2)), rtol=1e-5)
    assert found.confidence_sum == pytest.approx(truth.max(axis=0).sum(), rel=1e-6)
    assert found.n_low == np.count_nonzero(truth.max(axis=0) < 0.6)


@pytest.mark.parametrize("scale", [0.0, 1e-3, 80.0, 3000.0])
def test_probabilities_sum_to_one_however_sure_the_network_is(scale: float) -> None:
    found = classify_logits(logits_of((16, 16), scale=scale))

    assert found.soft_px.sum() == pytest.approx(256, rel=1e-5)


def test_equal_logits_give_the_first_class() -> None:
    assert classify_logits(np.zeros((N_CLASSES, 3, 3), np.float32)).labels.max() == 0


@given(
    rows=st.integers(1, 300),
    columns=st.integers(1, 300),
    divisor=st.sampled_from((1, 8, 16)),
    overlap=st.sampled_from((0.0, 0.25, 0.5)),
)
@settings(max_examples=60, deadline=None)
def test_tiles_cover_every_pixel_and_overlap_by_a_quarter(
    rows: int, columns: int, divisor: int, overlap: float
) -> None:
    plan = plan_tiles((rows, columns), largest=(64, 96), divisor=divisor, overlap=overlap)

    covered = np.zeros(plan.padded_shape, int)
    for row, column in plan.starts:
        covered[row : row + plan.tile[0], column : column + plan.tile[1]] += 1
    assert covered.min() >= 1
    assert all(edge % divisor == 0 for edge in plan.tile)
    for axis in (0, 1):
        starts = sorted({start[axis] for start in plan.starts})
        steps = np.diff(starts)
        assert all(steps <= np.ceil(plan.tile[axis] * (1 - overlap)))


def test_weights_of_a_tile_are_positive_and_full_inside() -> None:
    weights = blend_weights((64, 32))

    assert weights.min() > 0
    assert weights[32, 16] == 1
    assert np.array_equal(weights, weights[::-1, ::-1])


def test_tiles_give_what_one_tile_gives_where_the_network_sees_no_rim() -> None:
    # The stand-in sees 2 pixels around; tiles of 32 with 8 in common average equal logits there.
    rng = np.random.default_rng(4)
    inputs = rng.normal(size=(3, 2, 70, 90)).astype(np.float32)
    whole = infer_slab(inputs, network, parameters(plan_tiles((70, 90), largest=(96, 96))))

    tiled = infer_slab(inputs, network, parameters(plan_tiles((70, 90), largest=(32, 32))))

    # Rims of tiles are seen by one of them wrongly, with little weight.
    assert np.mean(tiled.labels == whole.labels) > 0.9
    inside = (slice(None), slice(4, 18), slice(4, 18))  # of the first tile alone
    assert np.array_equal(tiled.labels[inside], whole.labels[inside])


@pytest.mark.parametrize("tile", [(32, 32), (96, 96)])
def test_bytes_do_not_depend_on_batch_or_slab(tile: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    inputs = rng.normal(size=(7, 2, 60, 81)).astype(np.float32)
    plan = plan_tiles((60, 81), largest=tile, divisor=4)
    want = {"share_of": (2, 3), "with_probabilities": True}
    reference = infer_slab(inputs, network, parameters(plan, batch=1, **want))

    for batch in (2, 5, 16):
        for slab in (1, 3, 7):
            parts = [
                infer_slab(inputs[z : z + slab], network, parameters(plan, batch=batch, **want))
                for z in range(0, 7, slab)
            ]
            for name in ("labels", "share", "probabilities", "soft_px", "confidence_sum"):
                joined = np.concatenate([getattr(part, name) for part in parts])
                assert np.array_equal(joined, getattr(reference, name)), (name, batch, slab)


def test_what_does_not_fit_is_refused() -> None:
    plan = plan_tiles((20, 20), largest=(32, 32))
    with pytest.raises(ShapeError, match="20, 20"):
        infer_slab(np.zeros((1, 2, 21, 20), np.float32), network, parameters(plan))
    with pytest.raises(ShapeError, match="logits of shape"):
        infer_slab(np.zeros((1, 2, 20, 20), np.float32), lambda x: x, parameters(plan))
    with pytest.raises(ParameterError, match="temperature"):
        classify_logits(logits_of((4, 4)), temperature=0.0)
    with pytest.raises(ParameterError, match="multiple"):
        plan_tiles((20, 20), largest=(30, 32), divisor=16)

"""A forest from scribbles on real slices agrees with the masks of their authors."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from lithoscope_pipeline.scribbles import (
    ForestParameters,
    ScriptedUser,
    compare_labels,
    draw_strokes,
    label_slice,
    train_forest,
)


@pytest.mark.parametrize("coverage", [0.10, 0.25])
def test_scribbles_on_a_real_slice_give_its_authors_mask(
    real_data: Path, coverage: float, is_soak: bool
) -> None:
    pytest.importorskip("sklearn", reason="pip install 'lithoscope[labels]' runs this test")
    folder = real_data / "ucl_battery_slices"
    window = np.s_[:, :] if is_soak else np.s_[130:330, 180:400]  # around the buckled core
    grey = tifffile.imread(folder / "im_2.tif").astype(np.float32)[window] / 65535
    truth = (tifffile.imread(folder / "mask_2.tif") > 0).astype(np.uint8)[window]
    few = ForestParameters(n_trees=10, max_pixels=4000)

    painted = draw_strokes(truth, ScriptedUser(seed=1), coverage=coverage)
    labels = label_slice(train_forest([grey], [painted], few), grey)

    assert compare_labels([truth, labels]).pairs[0].dice[1] >= 0.90

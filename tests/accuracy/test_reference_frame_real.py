"""Real slices that are no layered cell are not taken for one."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from lithoscope_pipeline.reference_frame import find_reference_frame


@pytest.mark.parametrize("name", ["im_1.tif", "im_2.tif"])
@pytest.mark.parametrize("voxel_um", [1.33, 5.0, 20.0])
def test_a_wound_cell_has_no_planes(real_data: Path, name: str, voxel_um: float) -> None:
    slice_ = tifffile.imread(real_data / "ucl_battery_slices" / name).astype(np.float32)

    frame = find_reference_frame(np.repeat(slice_[None], 4, axis=0), voxel_um)

    assert frame.verdict == "no_layers"
    assert "by hand" in frame.reason

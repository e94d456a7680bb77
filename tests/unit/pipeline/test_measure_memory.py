"""Memory of the measurement: at most four slabs of labels and the maps, with noise as well."""

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.measure import Reading, measure_labels

N_Z, N_Y, N_X = 160, 512, 160
#: As many of all slices as 64 are of 512.
SLAB = 20


def noisy_cell(speckle: float) -> NDArray[np.uint8]:
    """Stack both electrodes, pits, a plated layer and dendrites; draw a share of all voxels."""
    rng = np.random.default_rng(34)
    labels = np.full((N_Z, N_Y, N_X), Label.ELECTROLYTE, np.uint8)
    labels[:, :130], labels[:, 380:] = Label.STRIPPING_ELECTRODE, Label.PLATING_ELECTRODE
    labels[:, 360:380] = Label.DEPOSITED
    for z, x, size in rng.integers((0, 0, 3), (N_Z, N_X, 12), (60, 3)):
        labels[z : z + size, 130 - size : 130, x : x + size] = Label.PIT
        labels[x : x + size, 360 - 10 * size : 360, z : z + size] = Label.DENDRITE
    is_speckle = rng.random(labels.shape, np.float32) < speckle
    labels[is_speckle] = rng.integers(0, len(Label), int(is_speckle.sum()))
    return labels


@pytest.mark.parametrize("speckle", [0.0, 0.01])
def test_four_slabs_and_the_maps_are_enough(speckle: float) -> None:
    labels = noisy_cell(speckle)
    measure_labels(labels[:8, :, :8], voxel_um=1.33)  # compiles what is traced

    tracemalloc.start()
    try:
        found = measure_labels(labels, voxel_um=1.33, reading=Reading(slab_slices=SLAB))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # The labels are an array here: a slab is a view of it, and counts as one that is read.
    slab = SLAB * N_Y * N_X
    maps = sum(image.nbytes for image in found.maps.values())
    assert peak + slab <= 4 * slab + maps

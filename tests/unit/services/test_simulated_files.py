"""True labels of simulated cells on disk."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from lithoscope_pipeline.phantom import SIZES, make_cell
from lithoscope_services.sources.files import open_scan
from lithoscope_services.sources.simulated_files import write_tile, write_true_labels
from lithoscope_store.volumes import read_slab, volume_info


def test_labels_of_more_rows_than_a_slab_has_are_written_whole(tmp_path: Path) -> None:
    cell = make_cell("tiny", seed=3, n_scans=3, detector=replace(SIZES["tiny"], n_rows=72))
    path = tmp_path / "labels_000.zarr"
    write_true_labels(path, cell, 1, cell.roi)
    expected = cell.labels(1, cell.roi)
    assert volume_info(path).shape == expected.shape
    step = volume_info(path).slab_slices
    assert expected.shape[0] > step
    stored = [
        read_slab(path, z0, min(z0 + step, expected.shape[0]))
        for z0 in range(0, expected.shape[0], step)
    ]
    np.testing.assert_array_equal(np.concatenate(stored), expected)


def test_a_file_says_where_in_the_cycling_it_was_taken(tmp_path: Path) -> None:
    cell = make_cell("tiny", seed=3, n_scans=3, detector=replace(SIZES["tiny"], n_rows=4))
    write_tile(tmp_path / "scan.h5", cell, 2)
    with open_scan(tmp_path / "scan.h5") as scan:
        assert scan.phase is not None
        assert (scan.phase.half_cycle, scan.phase.pulse) == (1, cell.schedule[2].pulse)
        assert scan.phase.experiment_time_s == cell.schedule[2].time_s

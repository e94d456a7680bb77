"""An object of the labels is there if half of it belongs to a true one, or touches it."""

from pathlib import Path

import numpy as np
import pytest

from lithoscope_models.calibration.seen_objects import (
    objects_file,
    read_seen_objects,
    shares_of_objects,
    write_seen_objects,
)
from lithoscope_models.calibration.tables import CALIBRATION_FILE, read_calibration
from lithoscope_models.model_file import DEFAULT_MODEL, find_model
from lithoscope_pipeline.labels import Label


def test_shares_are_those_that_were_drawn() -> None:
    seen, true = np.zeros((2, 20, 12, 12), np.bool_)
    seen[1:4, 1:4, 1:4] = true[1:4, 1:4, 1:4] = True  # there
    seen[8:16, 1:3, 1:3] = True  # 32 voxels, the first five layers in or beside a true object
    true[6:12, 1:3, 1:3] = True
    seen[1:3, 8:10, 8:10] = True  # 8 voxels of nothing
    seen[18, 10, 8:11] = True  # too small to be listed

    sizes, shares = shares_of_objects(seen, true)

    found = sorted(zip(sizes.tolist(), shares.tolist(), strict=True))
    assert found == [(8, 0.0), (27, 1.0), (32, pytest.approx(5 / 8))]


def test_what_is_true_and_small_makes_nothing_true() -> None:
    seen, true = np.zeros((2, 6, 6, 6), np.bool_)
    seen[1:3, 1:3, 1:3] = True
    true[1, 1, 1:4] = True

    _, shares = shares_of_objects(seen, true)

    assert shares.tolist() == [0.0]


def test_objects_of_all_scans_are_kept_by_kind(tmp_path: Path) -> None:
    labels = np.zeros((3, 8, 8, 8), np.uint8)
    labels[0, 1:3, 1:3, 1:3] = labels[2, 1:4, 1:3, 1:3] = Label.DENDRITE
    labels[1, 4:7, 4:6, 4:6] = Label.PIT
    truth = labels.copy()
    truth[2] = 0
    path = objects_file(tmp_path, "network", "0123456789abcdef")

    write_seen_objects(path, labels, truth, "network")

    found = read_seen_objects(path)
    assert (found["dendrite"].scan, found["dendrite"].voxels) == ((0, 2), (8, 12))
    assert found["dendrite"].share == (1.0, 0.0)
    assert found["pit"].scan == (1,)
    thresholds = objects_file(tmp_path, "layers", "")
    write_seen_objects(thresholds, labels, truth, "layers")
    assert "pit" not in read_seen_objects(thresholds)


@pytest.mark.parametrize("origin", ["network", "single_scan"])
@pytest.mark.parametrize("kind", ["dendrite", "pit"])
def test_chances_of_the_default_network_are_the_shares_that_exist(origin: str, kind: str) -> None:
    found = read_calibration(find_model(DEFAULT_MODEL) / CALIBRATION_FILE)

    judged = found.objects[origin][kind]

    assert sum(judged.n_objects) > 1000
    assert judged.error < 0.03
    assert judged.error_left_out < 0.04
    (calibration,) = (each for each in found.calibrations if each.origin == origin)
    assert calibration.existence[kind].n_experiments >= 60

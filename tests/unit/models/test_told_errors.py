"""Who says that a volume is off: nobody only if all that could is silent."""

import pytest
from benchmarks.told_errors import Volume

OFF = {"measured_um3": 50.0, "true_um3": 100.0}


@pytest.mark.parametrize(
    ("volume", "distance", "teller"),
    [
        (Volume(measured_um3=80, true_um3=100, low_um3=79, high_um3=81), 0.1, "near"),
        (Volume(**OFF, low_um3=20, high_um3=110), 0.1, "interval"),
        (Volume(**OFF, low_um3=None, high_um3=None), 0.1, "interval"),
        (Volume(**OFF, low_um3=40, high_um3=60), 1.2, "score"),
        (Volume(**OFF, low_um3=40, high_um3=60), 0.9, "nobody"),
        (Volume(**OFF, low_um3=40, high_um3=60), None, "nobody"),
        (Volume(**OFF, low_um3=40, high_um3=70), 0.9, "width"),
        (Volume(**OFF, low_um3=10, high_um3=60), 0.9, "nobody"),  # far the other way
        (Volume(measured_um3=50, true_um3=20, low_um3=30, high_um3=60), 0.9, "width"),
        (Volume(measured_um3=50, true_um3=20, low_um3=45, high_um3=90), 0.9, "nobody"),
        (Volume(measured_um3=5, true_um3=0, low_um3=1, high_um3=9), 0.5, "nobody"),
    ],
)
def test_an_error_is_told_by_interval_or_score(
    volume: Volume, distance: float | None, teller: str
) -> None:
    assert volume.told_by(distance) == teller

"""A scan that is not whole says so, and is not reconstructed when too much is missing."""

from collections.abc import Iterator

import pytest
from demo_process import until
from spine import Spine, all_keys, begin, described, send, spine

from lithoscope_messages import ScanCompleted, StageFailed
from lithoscope_services.settings import Settings, replace_values

N_PROJECTIONS = 60
TIMEOUT_S = 1.5


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    settings = replace_values(Settings(), {"ingest.scan_timeout_s": TIMEOUT_S})
    with spine(tmp_path_factory.mktemp("store"), settings) as made:
        made.start("journal", "ingest", "reconstruct")
        yield made


def failure(services: Spine, experiment: str) -> StageFailed:
    found: list[StageFailed] = []

    def look() -> bool:
        found.extend(
            entry.message
            for entry in services.entries(experiment)
            if isinstance(entry.message, StageFailed)
        )
        return bool(found)

    until(look, timeout_s=60, what=f"the failure of {experiment}")
    return found[0]


def send_scan(
    services: Spine, experiment: str, *, n_sent: int, n_flats: int = 2, ends: bool = True
) -> ScanCompleted:
    with services.link(experiment) as link:
        begin(link, 0, described(N_PROJECTIONS, n_flats=n_flats))
        for key in all_keys(n_sent, n_flats=n_flats):
            send(link, key)
        link.flush()
        if ends:
            link.end_scan(0)
    return services.completed(experiment)


def test_missing_projections_stand_in_the_account_and_stop_the_scan(services: Spine) -> None:
    completed = send_scan(services, "missing", n_sent=45)

    assert completed.account.missing == 15
    assert completed.account.completeness == pytest.approx(0.75)
    assert {each.kind: (each.expected, each.stored) for each in completed.account.sets} == {
        "dark": (1, 1),
        "flat": (2, 2),
        "projection": (60, 45),
    }
    failed = failure(services, "missing")
    assert (failed.stage, failed.attempts) == ("reconstruct", 1)
    assert "75 % of its projections, 80 % are needed; scan again" in failed.error


def test_a_scan_without_flats_says_that_they_are_missing(services: Spine) -> None:
    completed = send_scan(services, "no-flats", n_sent=N_PROJECTIONS, n_flats=0)

    assert completed.account.completeness == 1.0
    assert "no flats" in failure(services, "no-flats").error


def test_a_scan_that_falls_silent_is_closed(services: Spine) -> None:
    completed = send_scan(services, "silent", n_sent=30, ends=False)

    assert completed.reason == "timeout"
    assert completed.account.missing == 30
    assert "50 % of its projections" in failure(services, "silent").error

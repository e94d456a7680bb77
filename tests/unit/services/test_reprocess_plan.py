"""What a person asks of a re-processing, and which schedulers are let in."""

from pathlib import Path
from typing import Any

import pytest

from lithoscope_services.reprocess.addresses import ClusterError, check_address
from lithoscope_services.reprocess.plan import ReprocessError, parse_given, parse_stages
from lithoscope_services.settings.cluster_table import ClusterSettings


def test_values_are_read_as_in_the_settings_file() -> None:
    given = parse_given(["a.b=3", "a.c=0.5", "a.d=median", 'a.e="x=y"', "a.f=[1, 2]", "a.g=true"])

    assert given == {
        "a.b": 3,
        "a.c": 0.5,
        "a.d": "median",
        "a.e": "x=y",
        "a.f": [1, 2],
        "a.g": True,
    }


@pytest.mark.parametrize("text", ["rings=median", "reconstruct.rings", "a.b.c=1"])
def test_what_is_no_key_with_a_value_is_refused(text: str) -> None:
    with pytest.raises(ReprocessError, match=r"table\.key=value"):
        parse_given([text])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "reconstruct register segment measure decide"),
        ("segment:", "segment measure decide"),
        (":register", "reconstruct register"),
        ("measure", "measure"),
        ("register:measure", "register segment measure"),
    ],
)
def test_a_range_of_stages_may_be_open_at_either_end(text: str | None, expected: str) -> None:
    assert " ".join(parse_stages(text)) == expected


@pytest.mark.parametrize("text", ["measure:segment", "paint", "segment:paint"])
def test_stages_that_are_none_or_run_backwards_are_refused(text: str) -> None:
    with pytest.raises(ReprocessError, match="--stages"):
        parse_stages(text)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:8786", "localhost:8786", "tcp://[::1]:8786"])
def test_a_scheduler_of_this_machine_needs_no_certificates(address: str) -> None:
    assert not check_address(address, ClusterSettings())


@pytest.mark.parametrize("address", ["tcp://10.0.0.7:8786", "node7:8786", "tcp://0.0.0.0:8786"])
def test_a_scheduler_elsewhere_is_refused_without_tls(address: str) -> None:
    with pytest.raises(ClusterError, match="without encryption"):
        check_address(address, ClusterSettings())


@pytest.mark.parametrize("address", ["http://evil.example:80", "tls://node7", "tcp://127.0.0.1:x"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ClusterError, match="no address"):
        check_address(address, ClusterSettings())


def test_tls_needs_all_certificates_and_a_key_that_is_private(tmp_path: Path) -> None:
    files: dict[str, Any] = {}
    for name in ("tls_ca_file", "tls_cert_file", "tls_key_file"):
        with pytest.raises(ClusterError, match=f"cluster.{name} is not set"):
            check_address("tls://node7:8786", ClusterSettings(**files))
        files[name] = tmp_path / name
        files[name].touch(mode=0o644)

    with pytest.raises(ClusterError, match="chmod 600"):
        check_address("tls://node7:8786", ClusterSettings(**files))
    files["tls_key_file"].chmod(0o600)
    assert check_address("tls://node7:8786", ClusterSettings(**files))

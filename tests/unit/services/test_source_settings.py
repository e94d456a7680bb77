"""The table [source] is whole, or says what is missing."""

import pytest

from lithoscope_services.settings import SettingsError, parse_settings

SCAN = "[scan]\nvoxel_size_um = 1.3\n"
SOURCE = '[source]\nkind = "array-1.0"\nn_projections = 9\n'
ADDRESS = 'address = "tcp://127.0.0.1:9667"\n'


def problem_of(text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        parse_settings(text, where="cell.toml")
    return str(caught.value)


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:9667", "tcp://x02da-gf-1:9667", "tcp://[::1]:1", "ipc:///run/gf"]
)
def test_a_stream_of_one_sender_is_taken(address: str) -> None:
    settings = parse_settings(f'{SCAN}{SOURCE}address = "{address}"\n', where="cell.toml")

    assert settings.source.address == address


@pytest.mark.parametrize(
    "address",
    [
        *("tcp://*:9667", "tcp://0.0.0.0:9667", "tcp://[::]:9667", "tcp://host", "tcp://host:0"),
        *("tcp://host:70000", "ipc://@abstract", "inproc://x", "udp://host:1", "host:9667", ""),
    ],
)
def test_an_address_that_is_no_single_sender_is_refused(address: str) -> None:
    assert "never bound" in problem_of(f'{SCAN}{SOURCE}address = "{address}"\n')


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SCAN + SOURCE, "address is missing"),
        (SCAN + SOURCE.replace("9", "0") + ADDRESS, "n_projections is missing"),
        (SOURCE + ADDRESS, "scan.voxel_size_um is missing"),
        (SCAN + SOURCE + ADDRESS + 'kind_from = "order"\n', "cannot tell kinds by their order"),
        (SCAN + SOURCE + ADDRESS + 'theta_from = "table"\n', "theta_file is missing"),
        (SCAN + SOURCE + ADDRESS + "silence_s = 400.0\n", "must be shorter than"),
    ],
)
def test_what_a_stream_needs_is_asked_for(text: str, reason: str) -> None:
    assert reason in problem_of(text)


def test_without_the_table_frames_come_over_the_link() -> None:
    assert parse_settings("", where="cell.toml").source.kind == "frame_link"

"""The table [source] is whole, or says what is missing."""

import pytest

from lithoscope_services.settings import SettingsError, parse_settings

SCAN = "[scan]\nvoxel_size_um = 1.3\n"
SOURCE = '[source]\nkind = "array-1.0"\nn_projections = 9\n'
DECTRIS = SOURCE.replace("array-1.0", "dectris")
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
        (SCAN + DECTRIS + ADDRESS, 'give numbers = "per_scan"'),
        (
            SCAN + DECTRIS + ADDRESS + 'series_is = "part"\nnumbers = "per_scan"\n',
            '"per_kind" with "part"',
        ),
    ],
)
def test_what_a_stream_needs_is_asked_for(text: str, reason: str) -> None:
    assert reason in problem_of(text)


def test_without_the_table_frames_come_over_the_link() -> None:
    assert parse_settings("", where="cell.toml").source.kind == "frame_link"


PVA = '[source]\nkind = "pva"\nn_projections = 9\nkind_from = "attribute"\n'
FILE = 'detector_file = "/data/{scan}.h5"\n'
CHANNEL = 'channel = "13SIM1:Pva1:Image"\n'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (PVA, "channel is missing"),
        (PVA.replace("attribute", "frame") + CHANNEL, "kind_channel is missing"),
        (PVA + CHANNEL + 'theta_from = "frame"\n', "theta_channel is missing"),
        (PVA + CHANNEL + 'pva_servers = ["a b"]\n', "pva_servers"),
        (PVA + CHANNEL + "queue_frames = 1\n", "queue_frames"),
        (PVA + CHANNEL + FILE + "detector_file_wait_s = 250.0\n", "must be shorter than"),
        (PVA + CHANNEL + 'detector_file = "/data/{experiment}.h5"\n', "{scan} in it"),
        (PVA + CHANNEL + 'detector_file = "{scan}.h5"\n', "must be absolute"),
        (PVA + CHANNEL + 'detector_file = "/data/{scan.x}.h5"\n', "is no path"),
        (PVA + CHANNEL + 'detector_file = "/data/{cell}_{scan}.h5"\n', "is no path"),
    ],
)
def test_what_an_epics_channel_needs_is_asked_for(text: str, reason: str) -> None:
    assert reason in problem_of(SCAN + text)


def test_an_epics_channel_is_taken_with_servers_and_a_file_of_the_detector() -> None:
    more = 'pva_servers = ["ioc1:5075"]\ndetector_file = "/data/{experiment}_{scan:03d}.h5"\n'

    source = parse_settings(SCAN + PVA + CHANNEL + more, where="cell.toml").source

    assert source.pva_servers == ("ioc1:5075",)
    assert str(source.detector_file).format(experiment="a", scan=7) == "/data/a_007.h5"

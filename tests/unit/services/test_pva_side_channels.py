"""Kind and angles that stand in channels beside the images."""

from typing import Any

import numpy as np
import pytest

from lithoscope_services.errors import SourceError
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sources.pva.channels import client_conf
from lithoscope_services.sources.pva.side_channels import Timeline, angles_in, kind_in


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("/exchange/data_dark", "dark"),
        ("Flat field", "flat"),
        ("Projection", "projection"),
        ({"index": 1, "choices": ["Projection", "FlatField", "DarkField"]}, "flat"),
        (np.frombuffer(b"/exchange/data_white\0\0\0", np.int8), "flat"),
    ],
)
def test_a_kind_is_read_however_it_is_spelt(value: object, kind: str) -> None:
    assert kind_in({"value": value}) == kind


@pytest.mark.parametrize(
    "value", [None, 2, "noise", {"index": 3, "choices": ["Projection"]}, {}, np.zeros(4)]
)
def test_what_names_no_kind_is_refused(value: object) -> None:
    with pytest.raises(SourceError, match=r"^kind_channel"):
        kind_in({"value": value})


def test_a_list_of_angles_and_one_angle_are_told_apart() -> None:
    assert angles_in({"value": np.array([0.0, 1.5])}) == (0.0, 1.5)
    assert angles_in({"value": 1.5}) == 1.5


@pytest.mark.parametrize("value", [None, "x", [], np.array([np.nan]), np.array(["a"]), True, 1e9])
def test_what_is_no_angle_is_refused(value: Any) -> None:
    with pytest.raises(SourceError, match=r"^theta_channel"):
        angles_in({"value": value})


def test_a_frame_has_what_held_when_it_was_taken() -> None:
    line: Timeline[str] = Timeline()
    line.note(100, "dark")
    line.note(300, "flat")
    line.note(200, "moving")

    assert [line.at(time_ns) for time_ns in (50, 150, 250, 350, None)] == [
        "dark",
        "dark",
        "moving",
        "flat",
        "flat",
    ]


def test_a_long_line_forgets_its_beginning() -> None:
    line: Timeline[int] = Timeline()
    for time_ns in range(1000):
        line.note(time_ns, time_ns)

    assert line.at(0) == 1000 - 64


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("", "", "YES")),
        ({"pva_addresses": ("10.0.0.7",)}, ("10.0.0.7", "", "NO")),
        ({"pva_servers": ("a:5075", "b:5075")}, ("", "a:5075 b:5075", "NO")),
    ],
)
def test_only_hosts_of_the_settings_are_asked(
    changes: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    settings = SourceSettings(
        kind="pva", channel="T:Image", n_projections=2, kind_from="attribute", **changes
    )

    conf = client_conf(settings)

    names = ("EPICS_PVA_ADDR_LIST", "EPICS_PVA_NAME_SERVERS", "EPICS_PVA_AUTO_ADDR_LIST")
    assert tuple(conf[name] for name in names) == expected

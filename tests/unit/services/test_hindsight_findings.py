"""When growth leaves its noise, and what rules would have said, on series written by hand."""

from typing import Any

import pytest

from lithoscope_services.hindsight.findings import first_growth, tried_rules
from lithoscope_services.pages.chart import Level, Line, chart
from lithoscope_services.pages.html import page, table


def report_of(values: list[float | None], *, n_null: int = 1) -> tuple[Any, dict[int, int]]:
    """Make a report with one metric, and pulses that begin after the null scans."""
    scans = [
        {"scan": scan, "metrics": {"deposited_thickness_um": {"value": value, "unit": "um"}}}
        for scan, value in enumerate(values)
    ]
    return {"scans": scans}, {scan: max(0, scan - n_null + 1) for scan in range(len(values))}


def test_growth_is_seen_where_it_leaves_the_scatter_of_the_null_scans() -> None:
    # Mean 1.0 and standard deviation 0.1 of four null scans: the limit is 1.33.
    null = [0.9, 1.1, 1.1, 0.9]
    spread = (4 * 0.01 / 3) ** 0.5

    (found,) = first_growth(*report_of([*null, 1.2, 1.35, 1.5, 1.9], n_null=4))

    assert found.spread == pytest.approx(spread)
    assert found.limit == pytest.approx(1.0 + 3.3 * spread)
    assert found.scan == 6
    assert found.basis == "4 scans before the first pulse"


def test_a_single_scan_beyond_the_limit_is_no_growth() -> None:
    (found,) = first_growth(*report_of([0.9, 1.1, 1.1, 0.9, 2.0, 1.0, 1.0], n_null=4))

    assert found.scan is None


def test_without_null_scans_steady_growth_is_no_noise() -> None:
    # Second differences of a line are zero but for the noise put on it: 0.1 up and down gives
    # 0.4 in each, as noise of 1.4826 * 0.4 / sqrt(6) would.
    values = [2.0 * scan + (0.1 if scan % 2 else -0.1) for scan in range(9)]

    (found,) = first_growth(*report_of(list(values)))

    assert found.spread == pytest.approx(1.4826 * 0.4 / 6**0.5)
    assert found.scan == 1


def test_scans_without_a_value_are_left_out() -> None:
    (found,) = first_growth(*report_of([0.0, 0.0, None, 5.0, 9.0, 12.0]))

    assert found.scan == 3


def row(rule: str, *scans: int, n_read: int = 9) -> dict[str, Any]:
    return {
        "rule": rule,
        "metric": "remaining_gap_um",
        "action": "hold",
        "scans_with_a_number": n_read,
        "fired": [{"scan": scan, "reason": "too near"} for scan in scans],
        "blind": [],
        "outcome": "3 pulses before the first sign of a short",
    }


def test_leads_are_counted_in_pulses_up_to_the_end_asked_for() -> None:
    pulses = {scan: 2 * scan for scan in range(10)}
    rows = {"rules": [row("never"), row("late", 8), row("early", 3, 5), row("blank", n_read=0)]}

    found = tried_rules(rows, {"early": "propose"}, pulses, 7)

    assert [(each.rule, each.scan, each.lead_pulses) for each in found] == [
        ("early", 3, 8),
        ("never", None, None),
        ("late", None, None),
        ("blank", None, None),
    ]
    assert found[0].says == "too near (3 pulses before the first sign of a short)"
    assert found[3].says == "its number is not known in any scan"


def test_a_chart_shows_lines_limits_and_marks() -> None:
    line = Line(
        name="gap", points=[(0, 10.0, 9.0, 11.0), (1, 8.0, None, None), (4, 2.0, 1.0, 3.0)]
    )

    drawn = chart("gap <left>", "um", [line], levels=[Level(5.0, "rule")], marks=[(4, "warned")])

    assert drawn.count("<circle") == 3
    assert drawn.count('stroke-dasharray="2 4"') == 1  # over the scans that are missing
    assert "gap &lt;left&gt;" in drawn
    assert ">warned<" in drawn
    assert ">rule<" in drawn


def test_a_chart_of_nothing_is_nothing() -> None:
    assert chart("gap", "um", []) == ""


def test_a_page_lets_nothing_in() -> None:
    made = page("a & b", [table(("name",), [("<b>safe</b>",)])])

    assert "<title>a &amp; b</title>" in made
    assert "default-src 'none'" in made

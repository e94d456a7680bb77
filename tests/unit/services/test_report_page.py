"""The page and the table of a report, read as a browser and as pandas read them."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from small_experiment import make_experiment
from typer.testing import CliRunner

from lithoscope_messages import MetricsReady, MetricValue
from lithoscope_services.cli.app import make_app
from lithoscope_services.report import make_report
from lithoscope_services.report.charts import place_scans, plain_name, shown_unit
from lithoscope_services.report.page import report_page
from lithoscope_store import (
    ExperimentPaths,
    Store,
    read_journal,
    write_maps,
)
from lithoscope_store.objects import StoredObjects, write_objects

#: Charge at each scan, and its half-cycle: three pulses on, three back.
CHARGES = ((0.0, 0), (0.5, 0), (1.0, 0), (1.0, 1), (0.5, 1), (0.0, 1))
OBJECTS = "objects/0005.json"


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> ExperimentPaths:
    paths = make_experiment(
        Store(tmp_path_factory.mktemp("store")), "cell-1", n_scans=6, is_sealed=False
    )
    for scan in range(6):
        image = np.linspace(0, 10 + scan, 60, dtype=np.float32).reshape(6, 10)
        image[0, 0] = np.nan
        write_maps(paths.maps(scan, "f" * 8), {"deposited_thickness_um": image}, 4.5)
    columns: dict[str, list[Any]] = {
        "track": [7, 9],
        "kind": ["dendrite"] * 2,
        "volume_um3": [50.0, 900.0],
        "existence": [0.3125, None],
    }
    write_objects(paths.resolve(OBJECTS), StoredObjects(columns=columns, n_found={"dendrite": 2}))
    return paths


@pytest.fixture(scope="module")
def page(paths: ExperimentPaths) -> str:
    entries = []
    for entry in read_journal(paths.journal):
        fact = entry.message
        if isinstance(fact, MetricsReady):
            fact = as_measured(paths, fact)
        entries.append(entry.model_copy(update={"message": fact}))
    return report_page(paths, entries)


def as_measured(paths: ExperimentPaths, fact: MetricsReady) -> MetricsReady:
    """Give a scan a gap with an interval, a coverage without one, and a ratio without a value."""
    charge_mah, half_cycle = CHARGES[fact.scan]
    gap = MetricValue(value=200.0 - 20 * fact.scan, unit="um", low95=40.0, high95=240.0)
    if fact.scan == 2:
        gap = MetricValue(value=None, unit="um", flags=("no <tip>",))
    metrics = {
        "remaining_gap_um": gap,
        "dendrite_coverage": MetricValue(value=0.1 * fact.scan, unit="1"),
        "ct_faraday_ratio": MetricValue(value=None, unit="1", flags=("less_than_one_pulse",)),
    }
    return fact.model_copy(
        update={
            "charge_mAh": charge_mah,
            "half_cycle": half_cycle,
            "metrics": metrics,
            "maps_path": paths.relative(paths.maps(fact.scan, "f" * 8)),
            "objects_path": OBJECTS if fact.scan == 5 else None,
        }
    )


class Seen(HTMLParser):
    """What a browser would see: tags that are open, and what they ask for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.asked: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img", "br", "i", "line", "circle", "polygon"):
            self.stack.append(tag)
        self.asked += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("i", "line", "circle", "polygon"):
            assert self.stack.pop() == tag


def test_the_page_is_one_file_that_asks_for_nothing(page: str) -> None:
    seen = Seen(page)

    assert seen.stack == []
    assert all(each.startswith(("data:image/png", "#")) for each in seen.asked)
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert len(page) < 400_000


def test_intervals_are_bands_that_break_where_a_value_is_missing(page: str) -> None:
    figure = page[page.index("remaining gap, µm") :].split("</figure>")[0]

    # Scans 0 and 1, then 3 to 5: two bands, and a dotted line over the gap.
    assert figure.count("<polygon") == 2
    assert figure.count("stroke-dasharray") == 1
    assert figure.count("<circle") == 5
    assert "scan 5: 100 (40 to 240)" in figure
    assert "turn" in figure


def test_what_has_no_value_is_named_with_its_reason(page: str) -> None:
    assert "ct_faraday_ratio (less than one pulse)" in page


def test_maps_stand_at_start_half_and_full_cycle(page: str) -> None:
    maps = page[page.index('id="maps"') : page.index('id="objects"')]

    captions = re.findall(r"<figcaption>([^<]+)</figcaption>", maps)
    assert captions == [
        "start, scan 0; 27 × 45 µm (z × x)",
        "half cycle, scan 2; 27 × 45 µm (z × x)",
        "full cycle, scan 5; 27 × 45 µm (z × x)",
    ]


def test_objects_come_the_largest_first(page: str) -> None:
    table = page[page.index('id="objects"') : page.index('id="decisions"')]

    assert table.index("900") < table.index(">50<")


def test_the_provenance_has_the_hashes_of_the_journal(page: str, paths: ExperimentPaths) -> None:
    entries = read_journal(paths.journal)

    provenance = page[page.index('id="provenance"') :]
    assert entries[-1].hash in provenance
    assert all(
        entry.message.frames_sha256 in provenance
        for entry in entries
        if entry.message.type == "ScanCompleted"
    )


def test_charge_counts_both_ways(page: str) -> None:
    scans = [
        {"scan": n, "charge_mAh": charge, "half_cycle": half, "metrics": {"a": {}}}
        for n, (charge, half) in enumerate(CHARGES)
    ]

    places = place_scans({"scans": scans})

    assert [*places.of_scan.values()] == [0.0, 0.5, 1.0, 1.0, 1.5, 2.0]
    assert places.turns == (1.0,)


@pytest.mark.parametrize(
    ("metric", "unit", "shown"),
    [
        ("dendrite_volume_um3", "um3", "dendrite volume, µm³"),
        ("tip_speed_um_per_mAh_cm2", "um/(mAh/cm2)", "tip speed, µm/(mAh/cm²)"),
        ("dendrite_growth_um3_per_pulse", "um3", "dendrite growth per pulse, µm³"),
    ],
)
def test_metrics_are_written_for_people(metric: str, unit: str, shown: str) -> None:
    assert f"{plain_name(metric)}, {shown_unit(unit)}" == shown


def test_objects_say_with_what_chance_they_exist(page: str) -> None:
    table = page.partition('id="objects"')[2].partition("<h2")[0]

    assert "chance that it exists" in table
    assert "0.3125" in table


def test_pandas_reads_one_row_a_metric_of_a_scan(paths: ExperimentPaths, tmp_path: Path) -> None:
    file, html = tmp_path / "out" / "cell.parquet", tmp_path / "cell.html"
    words = ["report", paths.name, "--store", str(paths.root.parent)]

    done = CliRunner().invoke(make_app(), [*words, "--parquet", str(file), "--html", str(html)])

    assert done.exit_code == 0, done.output
    table = pandas.read_parquet(file)
    report = make_report(paths.name, read_journal(paths.journal))
    gaps = [scan["metrics"]["remaining_gap_um"]["value"] for scan in report["scans"]]
    assert table["value"].tolist() == gaps
    assert set(table["metric"]) == {"remaining_gap_um"}
    assert str(table["p_value"].dtype) == "float64"
    assert html.read_text().startswith("<!doctype html>")

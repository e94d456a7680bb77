"""Each page answers five questions of its user, and every answer is that of the report."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pictured_cell as cell
import pytest
from dashboard_instance import DEADLINE_S, NAME, Instance, fetch, running_instance
from playwright.sync_api import Page, expect
from waiting import until

from lithoscope_dashboard.quantities import duration_text

pytestmark = [pytest.mark.system, pytest.mark.browser]
Report = dict[str, Any]  # JSON
N_FACTS = 2 + 3 * 6 + 4
GAP = "remaining_gap_um"


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Three scans with a proposal that was approved, an alarm and a failure."""
    with running_instance(tmp_path_factory.mktemp("report") / "store") as made:
        cell.begin(made)
        for scan in range(3):
            cell.add(made, scan, missing=7 if scan == 0 else 0)
        made.propose(1)
        made.append(
            {
                **{"type": "ActionApproved", "role": "decide", "key": "approved:1", "scan": 1},
                **{"proposal": "gap:1", "person": "ada", "reason": "it bridges"},
            }
        )
        made.alarm(2)
        made.fail(2)
        health = f"{made.url}api/v1/health"
        until(
            lambda: json.loads(fetch(health)[2])["head"] == N_FACTS,
            timeout_s=DEADLINE_S,
            what="the facts on the page",
        )
        yield made


@pytest.fixture(scope="module")
def report(instance: Instance) -> Report:
    """What the command says of the same instance, while it runs."""
    command = [sys.executable, "-m", "lithoscope_services.cli", "report", NAME, "--json"]
    run = subprocess.run(
        [*command, "--store", str(instance.store.root)], capture_output=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    found: Report = json.loads(run.stdout)
    return found


def metric(report: Report, name: str, scan: int = -1) -> dict[str, Any]:
    found: dict[str, Any] = report["scans"][scan]["metrics"][name]
    return found


def tightest(report: Report) -> dict[str, Any]:
    """The scan with the smallest gap."""
    scans: list[dict[str, Any]] = report["scans"]
    return min(scans, key=lambda each: each["metrics"][GAP]["value"])


def interval(gap: dict[str, Any], form: str) -> str:
    return f"{gap['low95']:{form}} to {gap['high95']:{form}}"


def decision(report: Report, kind: str) -> dict[str, Any]:
    """The newest decision of a kind."""
    found: dict[str, Any] = [each for each in report["decisions"] if each["type"] == kind][-1]
    return found


def expect_all(page: Page, answers: dict[str, str]) -> None:
    for where, answer in answers.items():
        expect(page.locator(where)).to_contain_text(answer)


def test_the_live_page(instance: Instance, page: Page, report: Report) -> None:
    page.goto(instance.url)

    # Which scan, what gap, how sure, of how much of the cell, do we make the next pulse?
    gap, seen = metric(report, GAP), metric(report, "area_seen_fraction")["value"]
    expect_all(
        page,
        {
            "#shown-scan": f"scan {report['scans'][-1]['scan']}",
            f"#metric-{GAP}": f"{gap['value']:.1f}",
            f"#interval-{GAP}": interval(gap, ".1f"),
            "#area-seen": f"{100 * seen:.3g} %",
            "#deadline": "erdict",
        },
    )
    # The verdict is there, and came in less than the plan waits for it.
    assert report["scans"][-1]["latency_s"]["total"] < cell.TIMEOUT_S
    expect(page.locator("#deadline")).to_have_attribute("data-outlook", "made")


def test_the_metrics_page(instance: Instance, page: Page, report: Report) -> None:
    page.goto(f"{instance.url}metrics")

    # Which scan had the smallest gap, which the greatest, what is it now, how sure, in how many?
    gaps = [metric(report, GAP, scan)["value"] for scan in range(3)]
    least, greatest, row = gaps.index(min(gaps)), gaps.index(max(gaps)), f"#summary-{NAME}-{GAP}"
    expect_all(
        page,
        {
            f"{row} [data-of=least]": f"{gaps[least]:g} (scan {least})",
            f"{row} [data-of=greatest]": f"{gaps[greatest]:g} (scan {greatest})",
            f"{row} [data-of=newest]": f"{gaps[-1]:g} (scan {len(gaps) - 1})",
            f"{row} [data-of=interval]": interval(metric(report, GAP), "g"),
            f"{row} [data-of=scans]": str(len(report["scans"])),
        },
    )


def test_the_page_of_maps(instance: Instance, page: Page, report: Report) -> None:
    scan = tightest(report)
    page.goto(f"{instance.url}maps?scan={scan['scan']}&map={GAP}")

    # Of which scan is it, how small is the gap, where, how much was measured, what was it before?
    smallest = scan["metrics"][GAP]["value"]
    expect_all(
        page,
        {
            "#map-title": f"scan {scan['scan']}",
            "#map-least": f"{smallest:g} µm at z {cell.Z}, x {cell.X}",
            "#map-measured": "97.5 %",
        },
    )
    page.get_by_label("Less scan").select_option("scan 0")
    before = metric(report, GAP, 0)["value"]
    expect(page.locator("#map-least")).to_contain_text(f"{smallest - before:g} µm")
    expect(page.locator("#map-title")).to_contain_text("less scan 0")


def test_the_page_of_surfaces(instance: Instance, page: Page, report: Report) -> None:
    page.goto(f"{instance.url}3d")
    row = page.locator("#surface-rows tr[data-class=dendrite]")

    # Of which scan, which classes, how large is the dendrite, how tall, what was it before?
    newest = report["scans"][-1]["scan"]
    expect(page.locator("#surface-caption")).to_have_text(f"Surfaces of scan {newest}")
    expect(page.locator("#surface-rows tr")).to_have_count(3)
    # A surface cuts the corners of the voxels that the report counts.
    volume_um3 = float(row.locator("td").nth(0).inner_text())
    counted_um3 = metric(report, "dendrite_volume_um3")["value"]
    assert 0.6 * counted_um3 < volume_um3 < 1.4 * counted_um3
    tall_um = [float(each) for each in row.locator("td").nth(2).inner_text().split(" × ")][1]
    width_um = 32 * cell.VOXEL_UM  # of the electrolyte where nothing stands in it
    assert abs(tall_um - (width_um - metric(report, GAP)["value"])) <= 2 * cell.VOXEL_UM
    page.keyboard.press("[")
    expect(page.locator("#surface-caption")).to_have_text(f"Surfaces of scan {newest - 1}")


def test_the_page_of_decisions(instance: Instance, page: Page, report: Report) -> None:
    page.goto(f"{instance.url}decisions")

    # What was proposed, on what evidence, who said yes and why, which rule is blind, what to do?
    proposed, approved = decision(report, "ProposalMade"), decision(report, "ActionApproved")
    blind = decision(report, "BlindAlarm")
    expect_all(
        page,
        {
            "#proposal-0": f"{proposed['action']} · {proposed['rule']} · scan {proposed['scan']}",
            "#proposal-0 .evidence": f"= {proposed['evidence'][0]['value']:g}",
            "#proposal-0 .muted": f"by {approved['person']}: {approved['reason']}",
            "#alarms": f"scan {blind['scan']} · rule {blind['rule']} is blind",
            "#alarms .guidance": blind["guidance"],
        },
    )


def test_the_page_of_the_system(instance: Instance, page: Page, report: Report) -> None:
    page.goto(f"{instance.url}system")

    # How whole was a scan, what was wrong with it, how long did it take, what failed, and why?
    first, last = report["scans"][0], report["scans"][-1]
    (failed,) = report["failures"]
    missing = first["account"]["anomalies"]["missing"]
    expect_all(
        page,
        {
            "#scan-0 td:nth-child(3)": f"{100 * first['completeness']:.1f} %",
            "#scan-0 td:nth-child(4)": f"{missing} missing",
            "#scan-2 td:nth-child(10)": duration_text(last["latency_s"]["total"]),
            "#failures": f"scan {failed['scan']} · {failed['stage']}",
            "#failures .failed": failed["error"],
        },
    )


@pytest.mark.parametrize("path", ["kiosk", "m"])
def test_the_wall_and_the_phone(instance: Instance, page: Page, report: Report, path: str) -> None:
    page.goto(f"{instance.url}{path}")

    # What is the gap, how sure, how thick is the plating side, what alarm stands, of which scan?
    gap, blind = metric(report, GAP), decision(report, "BlindAlarm")
    thick = metric(report, "plating_side_thickness_um")["value"]
    expect_all(
        page,
        {
            f"#metric-{GAP}": f"{gap['value']:.1f}",
            f".kiosk-number:has(#metric-{GAP}) .kiosk-interval": (
                f"{gap['low95']:.1f} – {gap['high95']:.1f}"
            ),
            "#metric-plating_side_thickness_um": f"{thick:.1f}",
            ".kiosk-alarm, .alarm": f"scan {blind['scan']} · rule {blind['rule']} is blind",
        },
    )


def test_the_page_of_experiments(instance: Instance, page: Page, report: Report) -> None:
    page.goto(f"{instance.url}experiments")
    row = f"#stored-{report['experiment']}"

    # What is stored, does it run, of what source, how many scans, of which sample?
    expect_all(
        page,
        {
            f"{row} th": report["experiment"],
            f"{row} [data-label=state]": "runs",
            f"{row} [data-label=source]": "live",
            f"{row} [data-label='measured scans']": f"{len(report['scans'])} of ",
            f"{row} [data-label=sample]": cell.SAMPLE,
        },
    )

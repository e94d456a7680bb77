"""Plans of the experiment: pulse, rest, scan, wait for the verdict.

They know nothing of simulation: any devices with the same protocols will do.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Any

from bluesky import plan_stubs as bps
from bluesky.utils import Msg

from lithoscope_pipeline.phantom import ScanPoint
from lithoscope_services.beamline.devices import Cycler, Tomograph, Verdict

Plan = Generator[Msg, Any, None]


def pulse_plan(cycler: Cycler, point: ScanPoint, metadata: dict[str, Any]) -> Plan:
    """Pass the current up to a scan and read the cell; one Bluesky run."""
    yield from bps.open_run({**metadata, "plan_name": "pulse", "lithoscope_phase": "pulse"})
    yield from bps.checkpoint()
    yield from bps.abs_set(cycler, point.scan, wait=True)
    yield from bps.trigger_and_read([cycler], name="electrochemistry")
    yield from bps.close_run()


def scan_plan(tomograph: Tomograph, point: ScanPoint, metadata: dict[str, Any]) -> Plan:
    """Take one scan; one Bluesky run that says which it is."""
    yield from bps.open_run(
        {
            **metadata,
            "plan_name": "tomography",
            "lithoscope_scan": point.scan,
            "lithoscope_tile": 0,
            "lithoscope_phase": "scan",
        }
    )
    yield from bps.checkpoint()
    yield from bps.prepare(tomograph, point.scan, wait=True)
    yield from bps.kickoff(tomograph, wait=True)
    yield from bps.complete(tomograph, wait=True)
    yield from bps.collect(tomograph)
    yield from bps.close_run()


def experiment_plan(
    points: Sequence[ScanPoint],
    cycler: Cycler,
    tomograph: Tomograph,
    verdict: Verdict,
    *,
    done: frozenset[int],
    experiment: str,
    on_decided: Callable[[int], None] = lambda _scan: None,
) -> Plan:
    """Run all pulses and scans; wait for the verdict on each scan before the next pulse.

    Parameters
    ----------
    points
        The scans.
    cycler, tomograph, verdict
        Devices.
    done
        Scans that were completed before the plan was interrupted; they are not taken again.
    experiment
        Name in the metadata of every run.
    on_decided
        Called with the number of each scan whose verdict has come.
    """
    metadata = {"lithoscope_experiment": experiment}
    for point in points:
        if point.scan not in done:
            tomograph.expose_ahead(point.scan)
            yield from pulse_plan(cycler, point, metadata)
            yield from scan_plan(tomograph, point, metadata)
        if point.scan + 1 not in done:
            tomograph.expose_ahead(point.scan + 1)
        yield from bps.abs_set(verdict, point.scan, wait=True)
        on_decided(point.scan)

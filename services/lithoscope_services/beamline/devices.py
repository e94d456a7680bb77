"""Simulated devices that obey Bluesky's protocols: a tomograph, a cycler, and our verdict."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np

from lithoscope_messages import ExpectedCount, FrameKey, ScanDecided, ScanPhase
from lithoscope_pipeline.phantom import Electrochemistry, ScanFrames, SimulatedCell
from lithoscope_pipeline.phantom.schedule import record_electrochemistry
from lithoscope_services.beamline.status import WorkStatus, in_thread
from lithoscope_services.frame_link import FrameLink, ScanDescription
from lithoscope_services.history import History
from lithoscope_services.journal_client import JournalClient

SAMPLES_A_MESSAGE = 20_000
ENERGY_KEV = 27.5
Wait = Callable[[float], None]


class Tomograph:
    """A detector and a rotation stage that take one scan at a time and send it over a link.

    Parameters
    ----------
    cell
        What is looked at.
    link
        To ingest.
    scan_s
        How long a scan takes; 0 sends as fast as ingest takes it.
    wait
        Sleeps, unless told to stop.
    """

    name = "tomograph"
    parent = None

    def __init__(self, cell: SimulatedCell, link: FrameLink, scan_s: float, wait: Wait) -> None:
        self._cell = cell
        self._link = link
        self._scan_s = scan_s
        self._wait = wait
        self._scan = 0
        self._status: WorkStatus | None = None
        self._ready: dict[int, Future[ScanFrames]] = {}

    def prepare(self, scan: int) -> WorkStatus:
        """Get ready for a scan."""
        self._scan = scan
        return WorkStatus(lambda: None)

    def expose_ahead(self, scan: int) -> None:
        """Compute the frames of a scan while something else is waited for."""
        if scan < len(self._cell.schedule) and scan not in self._ready:
            self._ready[scan] = in_thread(lambda: self._cell.frames(scan))

    def kickoff(self) -> WorkStatus:
        """Start the scan that was prepared."""
        self._status = WorkStatus(self._take)
        return WorkStatus(lambda: None)

    def complete(self) -> WorkStatus:
        """Give the status that ends with the last frame on the disk of ingest."""
        if self._status is None:
            raise RuntimeError("tomograph: complete was called before kickoff")
        return self._status

    def describe_collect(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Describe what :meth:`collect` gives."""
        source = "simulated:tomograph"
        return {
            "tomograph": {
                "tomograph_scan": {"source": source, "dtype": "integer", "shape": []},
                "tomograph_n_frames": {"source": source, "dtype": "integer", "shape": []},
            }
        }

    def collect(self) -> Iterator[dict[str, Any]]:
        """Say what was taken; the frames themselves went over the link."""
        now_s = time.time()
        data = {
            "tomograph_scan": self._scan,
            "tomograph_n_frames": sum(each.count for each in self._expected()),
        }
        yield {"data": data, "timestamps": dict.fromkeys(data, now_s), "time": now_s}

    def _expected(self) -> tuple[ExpectedCount, ...]:
        detector = self._cell.detector
        return (
            ExpectedCount(kind="dark", count=detector.n_darks),
            ExpectedCount(kind="flat", count=detector.n_flats),
            ExpectedCount(kind="projection", count=detector.n_angles),
        )

    def _take(self) -> None:
        scan, cell = self._scan, self._cell
        self.expose_ahead(scan)
        frames = self._ready.pop(scan).result()
        self._link.begin_scan(scan, self._describe(scan))
        begin_s = time.monotonic()
        for count, (kind, index, image) in enumerate(frames):
            theta_deg = float(cell.thetas_deg[index]) if kind == "projection" else None
            key = FrameKey(scan=scan, kind=kind, index=index)
            self._link.send_frame(key, image, theta_deg=theta_deg, theta_source="frame")
            due_s = begin_s + self._scan_s * count / max(1, cell.detector.n_angles)
            self._wait(due_s - time.monotonic())
        self._link.end_scan(scan)

    def _describe(self, scan: int) -> ScanDescription:
        detector, point = self._cell.detector, self._cell.schedule[scan]
        current_mA = self._cell.cell.current_mA_cm2 * self._cell.cell.active_area_cm2  # noqa: N806
        is_last = scan + 1 == len(self._cell.schedule)
        is_charge = point.pulse < self._cell.cell.n_charge_pulses
        return ScanDescription(
            expected=self._expected(),
            frame_shape=(detector.n_rows, detector.n_columns),
            dtype="uint16",
            voxel_size_um=detector.voxel_um,
            energy_keV=ENERGY_KEV,
            phase=ScanPhase(
                experiment_time_s=point.time_s,
                cycle=point.cycle,
                half_cycle=point.half_cycle,
                pulse=point.pulse,
                next_current_mA=None if is_last else current_mA * (1 if is_charge else -1),
            ),
        )


class Cycler:
    """A simulated potentiostat: passes the current of the schedule, and is read.

    Parameters
    ----------
    cell
        That it drives.
    link
        Over which its samples go.
    """

    name = "cycler"
    parent = None

    def __init__(self, cell: SimulatedCell, link: FrameLink) -> None:
        self._cell = cell
        self._link = link
        self._last = {
            "cycler_potential_V": 0.0,
            "cycler_current_mA": 0.0,
            "cycler_charge_mAh": 0.0,
        }

    def set(self, scan: int) -> WorkStatus:
        """Pass all pulses and rests up to the time of a scan."""
        return WorkStatus(lambda: self._run_to(scan))

    def describe(self) -> dict[str, dict[str, Any]]:
        """Describe what :meth:`read` gives."""
        source = "simulated:cycler"
        return {
            name: {"source": source, "dtype": "number", "shape": [], "units": name.split("_")[-1]}
            for name in self._last
        }

    def read(self) -> dict[str, dict[str, float]]:
        """Read potential, current and charge as they are now."""
        now_s = time.time()
        return {name: {"value": value, "timestamp": now_s} for name, value in self._last.items()}

    def _run_to(self, scan: int) -> None:
        schedule = self._cell.schedule
        start_s = schedule[scan - 1].time_s if scan else 0.0
        record = record_electrochemistry(
            self._cell.cell, start_s=start_s, stop_s=schedule[scan].time_s
        )
        # Samples are numbered by their second, so sending them twice stores them once.
        first = int(np.ceil(start_s))
        for begin in range(0, len(record.time_s), SAMPLES_A_MESSAGE):
            part = slice(begin, begin + SAMPLES_A_MESSAGE)
            self._link.send_electrochemistry(
                first + begin,
                tuple(record.time_s[part].tolist()),
                tuple(record.potential_V[part].tolist()),
                tuple(record.current_mA[part].tolist()),
            )
        self._remember(record)

    def _remember(self, record: Electrochemistry) -> None:
        if len(record.time_s):
            self._last = {
                "cycler_potential_V": float(record.potential_V[-1]),
                "cycler_current_mA": float(record.current_mA[-1]),
                "cycler_charge_mAh": float(record.charge_mAh[-1]),
            }


class Verdict:
    """Our answer to a scan, as something that a plan can wait for.

    Parameters
    ----------
    journal
        To read the answer from.
    link
        To say on that none came in time.
    history
        Of the experiment.
    timeout_s
        How long to wait.
    on_timeout
        What the plan does then: ``hold`` goes on waiting.
    wait
        Sleeps, unless told to stop.
    """

    name = "verdict"
    parent = None
    LOOK_S = 0.1

    def __init__(
        self,
        journal: JournalClient,
        link: FrameLink,
        history: History,
        *,
        timeout_s: float,
        on_timeout: str,
        wait: Wait,
    ) -> None:
        self._journal = journal
        self._link = link
        self._history = history
        self._timeout_s = timeout_s
        self._on_timeout = on_timeout
        self._wait = wait
        self.answer: ScanDecided | None = None

    def set(self, scan: int) -> WorkStatus:
        """Wait for the answer to a scan."""
        return WorkStatus(lambda: self._await(scan))

    def _await(self, scan: int) -> None:
        begin_s = time.monotonic()
        has_complained = False
        while True:
            self._history.extend(
                self._journal.read_since(self._history.experiment, self._history.number).entries
            )
            known = self._history.scans.get(scan)
            self.answer = None if known is None else known.decided
            waited_s = time.monotonic() - begin_s
            if self.answer is not None:
                return
            if waited_s > self._timeout_s and not has_complained:
                has_complained = True
                self._link.send_verdict_missed(
                    {"scan": scan, "waited_s": waited_s, "plan_did": self._on_timeout}
                )
                if self._on_timeout == "continue":
                    return
            self._wait(self.LOOK_S)

"""Our answer to a scan, as something that a plan can look for."""

import time
from typing import Protocol

from lithoscope_messages import ScanDecided
from lithoscope_services.beamline.requests import OnTimeout
from lithoscope_services.beamline.status import WorkStatus
from lithoscope_services.beside import Stopper
from lithoscope_services.frame_link import FrameLink
from lithoscope_services.history import History
from lithoscope_services.journal_client import JournalClient
from lithoscope_services.lease import hold_in_force


class Answers(Protocol):
    """Where answers come from."""

    def find(self, scan: int, wait_s: float) -> ScanDecided | None:
        """Look for the answer to a scan for at most a time."""
        ...

    def why_held(self, wait_s: float) -> str:
        """Say why the plan must wait for a person; after at most a time, or nothing at once."""
        ...

    def say_missed(self, scan: int, waited_s: float, plan_did: OnTimeout) -> None:
        """Write down that none came in time, and what the plan does."""
        ...


class JournalAnswers:
    """Reads the answers from the journal of a running instance.

    Parameters
    ----------
    journal
        To read them from.
    link
        To say on that none came in time.
    history
        Of the experiment.
    stopper
        Ends the waiting.
    """

    LOOK_S = 0.1

    def __init__(
        self, journal: JournalClient, link: FrameLink, history: History, stopper: Stopper
    ) -> None:
        self._journal = journal
        self._link = link
        self._history = history
        self._stopper = stopper

    def find(self, scan: int, wait_s: float) -> ScanDecided | None:
        """Look for the answer to a scan."""
        deadline_s = time.monotonic() + wait_s
        while True:
            self._read()
            known = self._history.scans.get(scan)
            if known is not None and known.decided is not None:
                return known.decided
            if time.monotonic() > deadline_s:
                return None
            self._stopper.wait(self.LOOK_S)

    def why_held(self, wait_s: float) -> str:
        """Look for the release of a hold."""
        deadline_s = time.monotonic() + wait_s
        while True:
            self._read()
            reason = hold_in_force(self._history)
            if not reason or time.monotonic() > deadline_s:
                return reason
            self._stopper.wait(self.LOOK_S)

    def _read(self) -> None:
        history = self._history
        history.extend(self._journal.read_since(history.experiment, history.number).entries)

    def say_missed(self, scan: int, waited_s: float, plan_did: OnTimeout) -> None:
        """Send it to the journal."""
        self._link.send_verdict_missed({"scan": scan, "waited_s": waited_s, "plan_did": plan_did})


class Verdict:
    """The answer to a scan as a movable: set to a scan, it looks for a second.

    Looking is short so that a plan can pause between two looks.

    Parameters
    ----------
    answers
        Where answers come from.
    name
        Of the device.
    """

    parent = None
    LOOK_S = 1.0

    def __init__(self, answers: Answers, name: str = "verdict") -> None:
        self.name = name
        self._answers = answers
        self.answer: ScanDecided | None = None
        self.why_held = ""

    def set(self, scan: int) -> WorkStatus:
        """Look for the answer to a scan, and for what the plan is held by."""

        def look() -> None:
            self.answer = self._answers.find(scan, self.LOOK_S)
            if self.answer is not None:
                self.why_held = self._answers.why_held(self.LOOK_S)

        self.answer, self.why_held = None, ""
        return WorkStatus(look)

    def say_missed(self, scan: int, waited_s: float, plan_did: OnTimeout) -> None:
        """Write down that no answer came in time."""
        self._answers.say_missed(scan, waited_s, plan_did)

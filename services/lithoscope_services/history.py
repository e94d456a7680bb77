"""What the journal says of one experiment, folded for the stages: the same for every reader."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from lithoscope_messages import (
    ActionApproved,
    ActionFailed,
    ActionSent,
    AlarmAcknowledged,
    Armed,
    BlindAlarm,
    Disarmed,
    ElectrochemistryAppended,
    Entries,
    Entry,
    ExperimentEnded,
    ExperimentStarted,
    HoldReleased,
    LabelsReady,
    MetricsReady,
    PaintRequested,
    ProposalMade,
    RetryRequested,
    ScanCompleted,
    ScanDecided,
    ScanStarted,
    StageFailed,
    SurfacesReady,
    TransformReady,
    VerdictLate,
    VolumeReady,
    WorkStarted,
)
from lithoscope_services.settings.tree import Settings
from lithoscope_store import JournalPage


@dataclass(slots=True)
class ScanHistory:
    """The facts of one scan, each as it stands now."""

    scan: int
    started: ScanStarted | None = None
    completed: ScanCompleted | None = None
    volume: VolumeReady | None = None
    transform: TransformReady | None = None
    labels: LabelsReady | None = None
    metrics: MetricsReady | None = None
    surfaces: SurfacesReady | None = None
    decided: ScanDecided | None = None
    late: VerdictLate | None = None
    alarms: set[str] = field(default_factory=set)
    failures: dict[str, StageFailed] = field(default_factory=dict)

    @property
    def is_settled(self) -> bool:
        """Whether nothing more will be said of it: decided, or given up by ``decide``."""
        return self.completed is not None and (
            self.decided is not None or "decide" in self.failures
        )

    def fail(self, failure: StageFailed) -> None:
        """Note what was given up; of a scan with metrics measure can only fail to mesh."""
        is_of_surfaces = failure.stage == "measure" and self.metrics is not None
        self.failures["surfaces" if is_of_surfaces else failure.stage] = failure

    @property
    def awaits_surfaces(self) -> bool:
        """Whether its labels are measured and not meshed yet; only the sealing waits for that."""
        is_measured = self.labels is not None and self.metrics is not None
        return is_measured and self.surfaces is None and "surfaces" not in self.failures

    @property
    def failure(self) -> StageFailed | None:
        """Why no metrics of this scan will come; ingest's troubles end with the scan."""
        for stage in ("reconstruct", "register", "segment", "measure"):
            if stage in self.failures:
                return self.failures[stage]
        return None


@dataclass(slots=True)
class History:
    """The facts of one experiment, folded one by one."""

    experiment: str
    number: int = 0
    started: ExperimentStarted | None = None
    ended: ExperimentEnded | None = None
    scans: dict[int, ScanHistory] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    excused: dict[str, int] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)
    retries: dict[tuple[int, str], int] = field(default_factory=dict)
    electrochemistry: list[ElectrochemistryAppended] = field(default_factory=list)
    proposals: dict[str, ProposalMade] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)
    requests: list[Entry] = field(default_factory=list)
    armed: Armed | None = None
    holding: dict[str, str] = field(default_factory=dict)
    held_at: int = 0
    acknowledged: set[str] = field(default_factory=set)
    sent: set[str] = field(default_factory=set)
    reopened: dict[str, tuple[int, int]] = field(default_factory=dict)
    _settings: tuple[ExperimentStarted, Settings] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    @property
    def settings(self) -> Settings:
        """Settings that the experiment was started with; validated once."""
        if self.started is None:
            return Settings()
        if self._settings is None or self._settings[0] is not self.started:
            settings = Settings.model_validate(self.started.settings, strict=False)
            self._settings = (self.started, settings)
        return self._settings[1]

    def extend(self, entries: Iterable[Entry]) -> None:
        """Fold entries in their order."""
        for entry in entries:
            self._fold(entry)
            self.number = entry.number

    def catch_up(self, read_since: Callable[[int], JournalPage | Entries]) -> None:
        """Fold what a journal has that is not known here, some at a time."""
        while True:
            page = read_since(self.number)
            self.extend(page.entries)
            if self.number >= page.head or not page.entries:
                return

    def in_order(self) -> Iterator[ScanHistory]:
        """Give the scans by number."""
        return iter([self.scans[scan] for scan in sorted(self.scans)])

    def starts_of(self, work_key: str) -> int:
        """Give how often a task was begun since a person last asked for it again."""
        return self.attempts.get(work_key, 0) - self.excused.get(work_key, 0)

    def charge_mAh_at(self, time_s: float) -> float | None:  # noqa: N802 - the unit is mAh
        """Give the signed charge up to a recorded time, None without electrochemistry."""
        known = [fact for fact in self.electrochemistry if fact.time_s <= time_s + 1e-6]
        return known[-1].charge_mAh if known else None

    def _scan(self, number: int) -> ScanHistory:
        return self.scans.setdefault(number, ScanHistory(number))

    def _fold(self, entry: Entry) -> None:
        message = entry.message
        match message:
            case ExperimentStarted():
                self.started = message
            case ExperimentEnded():
                self.ended = message
            case ScanStarted():
                self._scan(message.scan).started = message
            case ScanCompleted():
                self._scan(message.scan).completed = message
            case VolumeReady(stage="reconstruct"):
                self._scan(message.scan).volume = message
            case TransformReady():
                self._scan(message.scan).transform = message
            case LabelsReady():
                self._scan(message.scan).labels = message
            case MetricsReady():
                self._scan(message.scan).metrics = message
            case SurfacesReady():
                self._scan(message.scan).surfaces = message
            case ScanDecided():
                self._scan(message.scan).decided = message
                if message.verdict == "hold":
                    self.held_at = entry.number
                    self.holding.setdefault(message.key, message.reason)
            case VerdictLate():
                self._scan(message.scan).late = message
            case BlindAlarm():
                self._scan(message.scan).alarms.add(message.key)
            case WorkStarted():
                count = self.attempts.get(message.work_key, 0)
                self.attempts[message.work_key] = max(count, message.attempt)
            case StageFailed():
                self._scan(message.scan).fail(message)
                if message.work_key is not None:
                    self.given_up.add(message.work_key)
            case RetryRequested():
                self._retry(message)
            case ElectrochemistryAppended():
                self.electrochemistry.append(message)
            case ProposalMade():
                self.proposals[message.proposal] = message
            case PaintRequested():
                pass  # of the service label alone; an hour of painting is thousands of runs
            case _:
                self._fold_decision(entry)

    def _fold_decision(self, entry: Entry) -> None:
        message = entry.message
        if isinstance(message, Armed | Disarmed):
            self.armed = message if isinstance(message, Armed) else None
        elif isinstance(message, HoldReleased):
            self.holding.clear()
        elif isinstance(message, ActionApproved | ActionSent):
            self._hold(message, entry.number)
        elif isinstance(message, AlarmAcknowledged):
            self.acknowledged.add(message.alarm)
        elif isinstance(message, ActionFailed):
            self._reopen(message.proposal, entry.number)
        if message.type in ("ActionApproved", "ActionRejected", "ActionExpired", "ActionSent"):
            self.answered.add(message.proposal)
        elif message.type.endswith("Requested"):
            self.requests.append(entry)

    def _reopen(self, proposal: str, number: int) -> None:
        """Let a person answer anew to what was never sent; earlier requests are spent."""
        if proposal not in self.sent:
            self.answered.discard(proposal)
            self.reopened[proposal] = (number, self.reopened.get(proposal, (0, 0))[1] + 1)

    def _hold(self, message: ActionApproved | ActionSent, number: int) -> None:
        if isinstance(message, ActionSent):
            self.sent.add(message.proposal)
        made = self.proposals.get(message.proposal)
        if made is not None and made.action in ("hold", "pause"):
            self.held_at = number
            self.holding[made.proposal] = f"rule {made.rule}, scan {made.scan}: {made.reason}"

    def _retry(self, request: RetryRequested) -> None:
        """Forget a failure and what hung on it, so that the work is planned anew."""
        scan = self._scan(request.scan)
        key = (request.scan, request.stage)
        self.retries[key] = self.retries.get(key, 0) + 1
        if request.stage == "measure" and "surfaces" in scan.failures:
            scan.failures["measure"] = scan.failures.pop("surfaces")
        failure = scan.failures.pop(request.stage, None)
        if failure is not None and failure.work_key is not None:
            self.given_up.discard(failure.work_key)
            self.excused[failure.work_key] = self.attempts.get(failure.work_key, 0)
        scan.decided = None

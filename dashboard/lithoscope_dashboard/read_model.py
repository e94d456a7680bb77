"""Fold the journal into what the page shows: pure, one entry after the other."""

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import assert_never

from lithoscope_dashboard.decision_fold import add_failure, fold_decision, rule_lines
from lithoscope_dashboard.errors import FeedGapError
from lithoscope_dashboard.model import (
    ExperimentState,
    Picture,
    ScanState,
    StageState,
    with_item,
)
from lithoscope_dashboard.proposals import fold_answer, new_proposal
from lithoscope_messages import (
    AcknowledgeRequested,
    ActionApproved,
    ActionConfirmed,
    ActionExpired,
    ActionFailed,
    ActionRejected,
    ActionSent,
    ActionUnknown,
    AlarmAcknowledged,
    ApprovalRequested,
    Armed,
    ArmRefused,
    ArmRequested,
    BlindAlarm,
    Disarmed,
    DisarmRequested,
    ElectrochemistryAppended,
    Entry,
    ExperimentEnded,
    ExperimentStarted,
    FramesStored,
    HoldReleased,
    HoldReleaseRequested,
    Hops,
    LabelsReady,
    MetricsReady,
    PaintRequested,
    ProposalMade,
    Pruned,
    RejectionRequested,
    ReplayControlRequested,
    RetryRequested,
    RuleFired,
    ScanCompleted,
    ScanDecided,
    ScanStarted,
    ServiceStarted,
    SlabReady,
    SlicePainted,
    StageFailed,
    StageName,
    SurfacesReady,
    TransformReady,
    VerdictLate,
    VolumeReady,
    WorkStarted,
)

_StageWork = WorkStarted | SlabReady | VolumeReady | TransformReady | LabelsReady | MetricsReady


def fold(state: ExperimentState, entry: Entry) -> ExperimentState:
    """Take one entry into account.

    Parameters
    ----------
    state
        What is known so far.
    entry
        The next entry; one that was folded already changes nothing.

    Raises
    ------
    FeedGapError
        If an entry between ``state.head`` and this one is missing.
    """
    if entry.number <= state.head:
        return state
    if entry.number != state.head + 1:
        raise FeedGapError(
            f"entry {entry.number} of {state.name} came after {state.head}; read the rest first"
        )
    state = _fold_message(state, entry)
    state = fold_decision(state, entry)
    return replace(state, head=entry.number, newest_ns=entry.message.time_ns)


def fold_all(state: ExperimentState, entries: Iterable[Entry]) -> ExperimentState:
    """Take a run of entries into account."""
    for entry in entries:
        state = fold(state, entry)
    return state


def charge_passed_mAh(scans: Iterable[ScanState]) -> list[float | None]:  # noqa: N802 - the unit
    """Charge that has gone through the cell up to each scan, whatever its sign, mAh.

    It rises also when the current turns, so that a curve over a cycle does not fold back on
    itself. Scans are taken in rests, between pulses of one sign: the sum over scans is the sum
    over pulses.
    """
    passed: list[float | None] = []
    total, last = 0.0, None
    for scan in scans:
        if scan.charge_mAh is None:
            passed.append(None)
            continue
        total += 0.0 if last is None else abs(scan.charge_mAh - last)
        last = scan.charge_mAh
        passed.append(total)
    return passed


def _fold_message(state: ExperimentState, entry: Entry) -> ExperimentState:
    message = entry.message
    match message:
        case ExperimentStarted():
            return replace(
                state,
                description=message.description,
                rules=rule_lines(message.settings),
                verdict_timeout_s=_verdict_timeout_s(message),
                started_ns=message.time_ns,
            )
        case ExperimentEnded():
            return replace(state, is_ended=True)
        case ScanStarted() | FramesStored() | ScanCompleted():
            return _put(state, _fold_frames(_scan(state, message.scan), message))
        case (
            WorkStarted()
            | SlabReady()
            | VolumeReady()
            | TransformReady()
            | LabelsReady()
            | MetricsReady()
        ):
            return _settle(_put(state, _fold_stage(_scan(state, message.scan), message)), message)
        case SurfacesReady():
            scan = replace(_scan(state, message.scan), surfaces_path=message.path)
            return _put(state, scan)
        case ScanDecided():
            return _put(state, _fold_decided(_scan(state, message.scan), message))
        case StageFailed():
            return _fold_failure(state, message)
        case BlindAlarm() | VerdictLate():
            return add_failure(state, message)
        case ElectrochemistryAppended():
            sample = (message.time_s, message.charge_mAh)
            return replace(state, charges=(*state.charges, sample))
        case ProposalMade():
            return replace(state, proposals=(*state.proposals, new_proposal(state, message)))
        case (
            ActionApproved()
            | ActionRejected()
            | ActionExpired()
            | ActionSent()
            | ActionConfirmed()
            | ActionFailed()
            | ApprovalRequested()
            | RejectionRequested()
        ):
            return fold_answer(state, message)
        case ActionUnknown():
            return add_failure(fold_answer(state, message), message)
        case (
            ServiceStarted()
            | AcknowledgeRequested()
            | AlarmAcknowledged()
            | RuleFired()
            | Armed()
            | ArmRefused()
            | Disarmed()
            | HoldReleased()
            | Pruned()
            | ArmRequested()
            | DisarmRequested()
            | HoldReleaseRequested()
            | RetryRequested()
            | ReplayControlRequested()
            | PaintRequested()
            | SlicePainted()
        ):
            return state
        case _:
            assert_never(message)


def _scan(state: ExperimentState, scan: int) -> ScanState:
    return state.scans.get(scan) or ScanState(scan=scan)


def _put(state: ExperimentState, scan: ScanState) -> ExperimentState:
    return replace(state, scans=with_item(state.scans, scan.scan, scan))


def _verdict_timeout_s(message: ExperimentStarted) -> float | None:
    """Read how long the plan waits for a verdict, out of settings of any version."""
    plan = message.settings.get("plan")
    timeout_s = plan.get("verdict_timeout_s") if isinstance(plan, dict) else None
    return float(timeout_s) if isinstance(timeout_s, int | float) else None


def _fold_frames(
    scan: ScanState, message: ScanStarted | FramesStored | ScanCompleted
) -> ScanState:
    match message:
        case ScanStarted():
            return replace(
                scan,
                started_ns=message.time_ns,
                expected=sum(part.count for part in message.expected),
                phase=message.phase,
                time_s=message.phase.experiment_time_s,
                half_cycle=message.phase.half_cycle,
                voxel_size_um=message.voxel_size_um,
            )
        case FramesStored():
            return replace(scan, stored=scan.stored + message.count)
        case ScanCompleted():
            return replace(
                scan,
                completed_ns=message.time_ns,
                stored=sum(part.stored for part in message.account.sets),
                completeness=message.account.completeness,
                anomalies=MappingProxyType(message.account.anomalies),
            )
        case _:
            assert_never(message)


def _fold_stage(scan: ScanState, message: _StageWork) -> ScanState:
    match message:
        case WorkStarted() if scan.stages[message.stage].status == "done":
            return scan  # what follows on the result, such as surfaces
        case WorkStarted():
            running = StageState(status="running", attempt=message.attempt)
            return _put_stage(scan, message.stage, running)
        case SlabReady():
            n_slices = scan.slabs.get(message.stage, 0) + message.z1 - message.z0
            return replace(scan, slabs=with_item(scan.slabs, message.stage, n_slices))
        case VolumeReady():
            scan = _put_done(scan, message.stage, message.hops)
            # Labels lie in the volume of the reference frame: once there, that one is shown.
            has_labels = scan.picture is not None and scan.picture.label_name is not None
            picture = scan.picture if has_labels else _picture(message, None)
            return replace(
                scan,
                picture=picture,
                axis=message.axis or scan.axis,
                coverage=message.coverage or scan.coverage,
                backend=message.backend or scan.backend,
                batch_reason=message.batch_reason,
                flags=tuple(dict.fromkeys((*scan.flags, *message.flags))),
            )
        case TransformReady():
            scan = _put_done(scan, "register", message.hops)
            return replace(scan, registration=message.verdict, residual_px=message.residual_px)
        case LabelsReady():
            scan = _put_done(scan, "segment", message.hops)
            return replace(
                scan,
                picture=_picture(message, message.label_name),
                model=message.model,
                confidence=message.confidence,
                flags=tuple(dict.fromkeys((*scan.flags, *message.flags))),
            )
        case MetricsReady():
            scan = _put_done(scan, "measure", message.hops)
            return replace(
                scan,
                metrics=message.metrics,
                maps_path=message.maps_path,
                time_s=message.experiment_time_s,
                charge_mAh=message.charge_mAh,
                half_cycle=message.half_cycle,
                completeness=message.completeness,
            )
        case _:
            assert_never(message)


def _picture(message: VolumeReady | LabelsReady, label_name: str | None) -> Picture:
    return Picture(
        path=message.path,
        shape=message.shape,
        voxel_um=message.voxel_um,
        label_name=label_name,
        token=message.sha256[:16],
    )


def _put_stage(scan: ScanState, stage: StageName, value: StageState) -> ScanState:
    return replace(scan, stages=with_item(scan.stages, stage, value))


def _put_done(scan: ScanState, stage: StageName, hops: Hops | None) -> ScanState:
    done = StageState(
        status="done",
        attempt=scan.stages[stage].attempt,
        duration_s=None if hops is None else hops.duration_s,
        started_ns=None if hops is None else hops.started_ns,
        finished_ns=None if hops is None else hops.finished_ns,
    )
    return _put_stage(scan, stage, done)


def _fold_decided(scan: ScanState, message: ScanDecided) -> ScanState:
    scan = _put_done(scan, "decide", message.hops)
    latency_s = None
    if scan.completed_ns is not None:
        latency_s = max(0.0, (message.time_ns - scan.completed_ns) / 1e9)
    return replace(
        scan,
        numbers=message.numbers,
        verdict=message.verdict,
        verdict_reason=message.reason,
        latency_s=latency_s,
    )


def _fold_failure(state: ExperimentState, message: StageFailed) -> ExperimentState:
    if message.stage != "ingest":
        failed = StageState(status="failed", attempt=message.attempts, error=message.error)
        state = _put(state, _put_stage(_scan(state, message.scan), message.stage, failed))
    return add_failure(state, message)


def _settle(state: ExperimentState, message: _StageWork) -> ExperimentState:
    """Mark the failure of a stage as settled once the stage is done after all."""
    if isinstance(message, WorkStarted | SlabReady) or not state.failures:
        return state
    done = {
        stage
        for stage, value in state.scans[message.scan].stages.items()
        if value.status == "done"
    }
    failures = tuple(
        replace(failure, is_settled=True)
        if failure.scan == message.scan and failure.what in done
        else failure
        for failure in state.failures
    )
    return replace(state, failures=failures)

"""What a scan is measured against: earlier scans, the charge, the beam, the image's quality."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lithoscope_messages import CoverageFinding, MetricsReady, ScanAccount, ScanStarted
from lithoscope_pipeline.measure.intervals.limits import LEAST_SCANS
from lithoscope_services.errors import ServiceError
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.stages.inputs import reference_scan


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierParts:
    """The earlier scans that one is measured against; all are None or empty for the first.

    Parameters
    ----------
    first
        Scan that all are compared with.
    half_cycle_start
        Last one of the half-cycle before; in the first half-cycle, ``first``.
    charged
        Last one of the last half-cycle before this one that stripped the stripping side.
    previous
        The one before.
    null
        Those before the first pulse, if they are enough to tell what nothing looks like.
    since_turn
        Those since the current last turned, the one at the turn first, without this one; only
        the last that rates are taken from.
    """

    first: ScanHistory | None = None
    half_cycle_start: ScanHistory | None = None
    charged: ScanHistory | None = None
    previous: ScanHistory | None = None
    null: tuple[ScanHistory, ...] = ()
    since_turn: tuple[ScanHistory, ...] = ()

    @property
    def scans(self) -> tuple[ScanHistory, ...]:
        """All of them, each once, by number."""
        alone = (self.first, self.half_cycle_start, self.charged, self.previous)
        every = (*alone, *self.null, *self.since_turn)
        found = {each.scan: each for each in every if each is not None}
        return tuple(found[scan] for scan in sorted(found))

    @property
    def are_measured(self) -> bool:
        """Whether all of them have metrics."""
        return all(each.metrics is not None for each in self.scans)


def find_earlier(history: History, scan: ScanHistory) -> EarlierParts:
    """Find the scans that one is measured against, those that were given up left out."""
    reference = reference_scan(history)
    if reference is None or scan.scan == reference or scan.started is None:
        return EarlierParts()
    half_cycle = scan.started.phase.half_cycle
    before = [
        each
        for each in history.in_order()
        if reference <= each.scan < scan.scan and each.failure is None and each.started is not None
    ]
    first = history.scans[reference]
    ended = [each for each in before if _half_cycle(each) < half_cycle]
    start = ended[-1] if ended else first
    charged = [each for each in ended if _half_cycle(each) % 2 == 0]
    n_past = history.settings.measure.rate_scans - 1
    return EarlierParts(
        first=first,
        half_cycle_start=start,
        charged=charged[-1] if charged else None,
        previous=before[-1] if before else None,
        null=_null_scans(before),
        since_turn=tuple([each for each in before if each.scan >= start.scan][-n_past:]),
    )


def _null_scans(before: Sequence[ScanHistory]) -> tuple[ScanHistory, ...]:
    """Give the scans before the first pulse: in a later rest lithium moves."""
    null = [each for each in before if each.started is not None and each.started.phase.pulse == 0]
    return tuple(null) if len(null) >= LEAST_SCANS else ()


def charge_state(
    history: History, scan: ScanHistory, earlier: EarlierParts
) -> dict[str, Any] | None:  # JSON
    """Give the state of the cycler against the beginning of the half-cycle."""
    if scan.started is None or history.started is None:
        return None
    begin = _charge_begins(scan, earlier)
    first = scan.started if earlier.first is None else earlier.first.started
    if begin is None or first is None:
        return None
    times = [each.phase.experiment_time_s for each in (scan.started, begin, first)]
    now, then, start = (history.charge_mAh_at(time_s) for time_s in times)
    if now is None or then is None or start is None:
        return None
    return {
        "receiving_side": "plating" if _half_cycle(scan) % 2 == 0 else "stripping",
        "charge_mAh": abs(now - then),
        "n_pulses": float(scan.started.phase.pulse - begin.phase.pulse),
        "net_charge_mAh": _first_sign(history) * (now - start),
    }


def charge_since_s(scan: ScanHistory, earlier: EarlierParts) -> float | None:
    """Give the time from which the charge of `charge_state` is counted."""
    begin = _charge_begins(scan, earlier)
    return None if begin is None else begin.phase.experiment_time_s


def _charge_begins(scan: ScanHistory, earlier: EarlierParts) -> ScanStarted | None:
    return scan.started if earlier.half_cycle_start is None else earlier.half_cycle_start.started


def coming_pulse(history: History, scan: ScanHistory, earlier: EarlierParts) -> dict[str, Any]:
    """Say what is known of the next pulse, as `ComingPulse` takes it."""
    upcoming = None if scan.started is None else scan.started.phase.next_current_mA
    past = earlier.previous.started if earlier.previous is not None else None
    last = None if past is None else past.phase.next_current_mA
    strips = _half_cycle(scan) % 2 == 1
    if upcoming:
        strips = _first_sign(history) * upcoming < 0
    ratio = abs(upcoming / last) if upcoming and last else 1.0
    return {"strips_plated_side": strips, "current_ratio": ratio}


def past_scans(history: History, scans: Iterable[ScanHistory]) -> list[dict[str, Any]]:
    """Describe scans with metrics as `PastScan` takes them, for a task."""
    return [
        {**place_of(history, each), "metrics": metrics_of(each.metrics)}
        for each in scans
        if each.metrics is not None
    ]


def place_of(history: History, scan: ScanHistory) -> dict[str, Any]:
    """Say where in the cycling a scan stands."""
    if scan.started is None:
        raise ServiceError(f"scan {scan.scan} has never begun")
    time_s = scan.started.phase.experiment_time_s
    return {
        "pulses": float(scan.started.phase.pulse),
        "time_s": time_s,
        "charge_mAh": history.charge_mAh_at(time_s),
    }


def metrics_of(fact: MetricsReady | None) -> dict[str, Any]:
    """Write the metrics of a scan as JSON."""
    return {} if fact is None else {n: m.model_dump() for n, m in fact.metrics.items()}


def dose_so_far(history: History, scan: ScanHistory) -> dict[str, Any]:
    """Say what the cell was exposed to up to a scan: the beam, and all projections announced."""
    settings = history.settings
    of_source = None if scan.started is None else scan.started.energy_keV
    energy_kev = settings.scan.energy_keV or of_source
    flux, exposure_s = settings.measure.flux_per_s_mm2, settings.measure.exposure_s
    beam = None
    if energy_kev is not None and flux is not None and exposure_s is not None:
        beam = {"energy_keV": energy_kev, "flux_per_s_mm2": flux, "exposure_s": exposure_s}
    return {
        "beam": beam,
        "n_projections": _n_projections(
            each for each in history.in_order() if each.scan <= scan.scan
        ),
        "formula": settings.measure.electrolyte_formula,
    }


def covered(scan: ScanHistory) -> CoverageFinding | ScanAccount:
    """Say what the projections cover: those that were used, or else those that were stored."""
    if scan.volume is not None and scan.volume.coverage is not None:
        return scan.volume.coverage
    if scan.completed is None:
        raise ServiceError(f"scan {scan.scan} is not complete")
    return scan.completed.account


def image_quality(scan: ScanHistory) -> dict[str, tuple[float | None, str]]:
    """Give the metrics of the image itself: value and unit by name."""
    views = covered(scan)
    return {
        **_unlikeness(scan),
        "registration_residual_px": (
            None if scan.transform is None else scan.transform.residual_px,
            "px",
        ),
        "reconstruction_completeness": (views.completeness, "1"),
        "edge_on_coverage": (views.edge_on_coverage, "1"),
        "cnr_li_electrolyte": (
            None if scan.labels is None else scan.labels.cnr_li_electrolyte,
            "1",
        ),
    }


def _unlikeness(scan: ScanHistory) -> dict[str, tuple[float | None, str]]:
    """Compare the distance from the training with its limit; only networks have been trained."""
    labels = scan.labels
    if labels is None or labels.model_sha256 is None:
        return {}
    found = labels.distribution
    return {"training_distance": (None if found is None else found.distance / found.limit, "1")}


def _half_cycle(scan: ScanHistory) -> int:
    return 0 if scan.started is None else scan.started.phase.half_cycle


def _first_sign(history: History) -> int:
    return 1 if history.started is None else history.started.description.first_current_sign or 1


def _n_projections(scans: Iterable[ScanHistory]) -> int:
    """Count the projections announced; each tile is seen by its own alone."""
    of_tiles: dict[int, int] = {}
    for scan in scans:
        for each in () if scan.started is None else scan.started.expected:
            if each.kind == "projection":
                of_tiles[each.tile] = of_tiles.get(each.tile, 0) + each.count
    return max(of_tiles.values(), default=0)

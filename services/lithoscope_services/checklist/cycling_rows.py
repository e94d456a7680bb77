"""What cycler and scans say together: sign of current, sides, clock."""

from collections.abc import Sequence
from typing import Final

from lithoscope_pipeline.cycler_clock import Pulse
from lithoscope_pipeline.setup_checks import (
    GrowthEvidence,
    ScanTime,
    check_clock,
    check_current_sign,
    check_sides,
)
from lithoscope_services.checklist.row import CheckRow
from lithoscope_services.electrochemistry import CyclerRecord, find_pulses
from lithoscope_services.history import History, ScanHistory
from lithoscope_store import ExperimentPaths, FrameReader, read_electrochemistry

#: Four faces of each of two scans are found to the nearest row.
_RESOLUTION_PX: Final = 1.5


def cycling_rows(
    history: History, paths: ExperimentPaths, scan: int, first_current_sign: int
) -> list[CheckRow]:
    """Compare the cycler's record with the scans up to one of them.

    Parameters
    ----------
    history, paths
        Of the experiment.
    scan
        The last scan that is looked at.
    first_current_sign
        As it was set up.
    """
    stored = read_electrochemistry(paths)
    pulses: list[Pulse] = []
    if len(stored.time_s):
        record = CyclerRecord(
            time_s=stored.time_s, potential_V=stored.potential_V, current_mA=stored.current_mA
        )
        pulses = find_pulses(record)
    scans = [each for each in history.in_order() if each.scan <= scan]
    evidence = growth_evidence(scans, pulses)
    return [
        CheckRow.of(check_current_sign(evidence, first_current_sign)),
        CheckRow.of(check_sides(evidence)),
        CheckRow.of(
            check_clock(_scan_times(scans, paths), [(p.begin_s, p.end_s) for p in pulses])
        ),
    ]


def growth_evidence(scans: Sequence[ScanHistory], pulses: Sequence[Pulse]) -> GrowthEvidence:
    """Measure by how much the lithium of either side changed within the first half-cycle."""
    current = pulses[0].current_mA if pulses else None
    turned = [pulse.begin_s for pulse in pulses if pulse.sign != pulses[0].sign]
    seen = [
        each
        for each in scans
        if each.labels is not None
        and each.labels.grey is not None
        and each.started is not None
        and (not turned or each.started.phase.experiment_time_s < turned[0])
    ]
    if len(seen) < 2:
        return GrowthEvidence(first_current_mA=current)
    first, last = (_sides_um(each) for each in (seen[0], seen[-1]))
    labels = seen[-1].labels
    return GrowthEvidence(
        first_current_mA=current,
        stripping_gain_um=last[0] - first[0],
        plating_gain_um=last[1] - first[1],
        resolution_um=_RESOLUTION_PX * (0.0 if labels is None else labels.voxel_um),
    )


def _sides_um(scan: ScanHistory) -> tuple[float, float]:
    """Thickness of the lithium at low and at high y, by the layers of the grey values."""
    if scan.labels is None or scan.labels.grey is None:
        return 0.0, 0.0
    edges, voxel_um = scan.labels.grey.edges_px, scan.labels.voxel_um
    return (edges[1] - edges[0]) * voxel_um, (edges[3] - edges[2]) * voxel_um


def _scan_times(scans: Sequence[ScanHistory], paths: ExperimentPaths) -> list[ScanTime]:
    """Give when scans were taken; none where the source only counted them."""
    times = []
    for each in scans:
        if each.started is None or each.completed is None or not paths.tiles(each.scan):
            continue
        begin_s = each.started.phase.experiment_time_s
        stamps = [
            reader.record(key).time_ns
            for tile in paths.tiles(each.scan)
            for reader in (FrameReader(paths, each.scan, tile),)
            for key in reader.keys
        ]
        lasted_s = (max(stamps) - min(stamps)) / 1e9 if stamps else 0.0
        times.append(ScanTime(scan=each.scan, begin_s=begin_s, end_s=begin_s + lasted_s))
    is_counted = all(time.begin_s == float(time.scan) for time in times)
    return [] if is_counted else times

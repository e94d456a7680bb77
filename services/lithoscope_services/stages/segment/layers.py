"""A scan by thresholds and the known order of layers, without a network."""

from collections.abc import Sequence

from lithoscope_pipeline.anatomy import AnatomyReference, find_side_thickness, label_anatomy
from lithoscope_pipeline.geometry import FloatVolume, LabelVolume
from lithoscope_pipeline.labels import classes_of
from lithoscope_pipeline.segment import GreyReferences, lithium_share, segment_layers
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.stages.segment.written import LABEL_NAME
from lithoscope_store import ExperimentPaths, read_slab


def label_by_layers(
    volume: FloatVolume,
    references: GreyReferences,
    earlier: AnatomyReference | None,
    *,
    voxel_um: float,
) -> LabelVolume:
    """Label a region; ``earlier`` is None for the first scan."""
    return label_anatomy(
        segment_layers(volume, references),
        earlier,
        voxel_um=voxel_um,
        lithium_share=lithium_share(volume, references),
    )


def needed_scans(history: History, scan: ScanHistory, reference: int) -> list[ScanHistory]:
    """Give the scans whose labels this one is compared with: the first, and the turning one."""
    if scan.scan == reference:
        return []
    needed = [history.scans[reference]]
    turning = _turning_scan(history, scan)
    if turning is not None and turning.scan != reference:
        needed.append(turning)
    return needed


def read_anatomy_reference(
    paths: ExperimentPaths, labelled: Sequence[str], n_z: int
) -> AnatomyReference | None:
    """Measure the sides in the labels of earlier scans, in the order of `needed_scans`."""
    reference = None
    for relative in labelled:
        labels = read_slab(paths.resolve(relative), 0, n_z, label=LABEL_NAME)
        thickness = find_side_thickness(classes_of(labels))
        if reference is None:
            reference = AnatomyReference.from_first_scan(thickness)
        else:
            reference = reference.with_stripped(thickness)
    return reference


def _turning_scan(history: History, scan: ScanHistory) -> ScanHistory | None:
    """Give the last scan of the first half-cycle that was not given up, for later ones."""
    if scan.started is None or scan.started.phase.half_cycle == 0:
        return None
    first_half = [
        each
        for each in history.in_order()
        if each.scan < scan.scan
        and each.failure is None
        and each.started is not None
        and each.started.phase.half_cycle == 0
    ]
    return first_half[-1] if first_half else None

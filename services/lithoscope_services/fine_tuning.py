"""Painted slices as a network learns from them: of an experiment, or from files."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.data.label_files import read_labelled
from lithoscope_models.data.painted import APART_PX, PaintedScan, PaintedSlice, write_painted
from lithoscope_models.errors import TrainingDataError
from lithoscope_models.fine_tune.run import PAINTED
from lithoscope_models.model_file import load_card
from lithoscope_pipeline.geometry import LabelVolume
from lithoscope_pipeline.labels import UNLABELLED
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.reading import read_entries
from lithoscope_services.stages.inputs import reference_scan
from lithoscope_services.stages.segment.earlier import (
    has_faces,
    previous_scan,
    read_shifts,
    references_of,
)
from lithoscope_services.stages.stored_volume import StoredVolume
from lithoscope_store import ExperimentPaths, Store
from lithoscope_store.painted_labels import painted_scans, read_painted

#: Slices of a scan that planes across y and x are learned from; they hold a line of each.
_CROSSED: Final = 12
_NAME: Final = re.compile(r"[^a-z0-9_-]+")


def model_name(folder: Path) -> str:
    """Name a model by its folder, as cards allow it."""
    name = _NAME.sub("-", folder.resolve().name.lower()).strip("-_")
    return name[:64] if name[:1].isalpha() else f"model-{name}"[:64]


def paint_from_experiment(
    store: Path,
    experiment: str,
    out: Path,
    *,
    model: str,
    held_out: Collection[PaintedSlice] | None = None,
) -> None:
    """Take the painted slices of an experiment, with the scans that they are shown with.

    Parameters
    ----------
    store, experiment
        Where, and which.
    out
        Folder of the model that is to learn from them.
    model
        That goes on learning.
    held_out
        Painted slices to judge by; by default two of seven.

    Raises
    ------
    TrainingDataError
        If nothing is painted, or not on what is labelled now.
    """
    paths = Store(store).experiment(experiment)
    history = History(experiment)
    history.extend(read_entries(Store(store), experiment))
    every = {scan: _painted_slices(paths, history, scan) for scan in painted_scans(paths)}
    painted = {scan: slices for scan, slices in every.items() if slices.has_any}
    if not painted:
        raise TrainingDataError(
            f"{experiment}: no slice is painted; paint some on the Labels page"
        )
    shown = _shown_with(history, painted)
    nothing = _PaintedSlices()
    scans = [
        _scan(paths, history.scans[scan], painted.get(scan, nothing)) for scan in sorted(shown)
    ]
    first = history.scans[min(shown)].labels
    if first is None:
        raise TrainingDataError(f"{experiment}: scan {min(shown)} has no labels")
    write_painted(
        out / PAINTED,
        scans,
        voxel_um=first.voxel_um,
        halo=load_card(model).inputs.inputs.halo,
        held_out=held_out,
    )


def paint_from_files(grey: Path, labels: Path, out: Path, *, voxel_um: float, model: str) -> None:
    """Take painted slices of one volume from files; no earlier scan is shown with them.

    Parameters
    ----------
    grey, labels, voxel_um
        As for `read_labelled`.
    out, model
        As for `paint_from_experiment`.

    Raises
    ------
    TrainingDataError
        If a file cannot be read or trusted, or does not fit.
    """
    read = read_labelled(grey, labels, voxel_um=voxel_um)
    (scan,) = read.scans
    known = np.flatnonzero((scan.classes != UNLABELLED).any(axis=(1, 2)))
    painted = PaintedScan(
        scan=0,
        grey=np.asarray(scan.grey, np.float32),
        references=scan.references,
        shifts_px=None,
        painted={int(z): np.asarray(scan.classes[z]) for z in known},
    )
    halo = load_card(model).inputs.inputs.halo
    write_painted(out / PAINTED, [painted], voxel_um=voxel_um, halo=halo)


@dataclass(frozen=True, slots=True, kw_only=True)
class _PaintedSlices:
    """What is painted on slices normal to z by their number, and what crosses others."""

    painted: dict[int, LabelVolume] = field(default_factory=dict)
    crossed: dict[int, LabelVolume] = field(default_factory=dict)

    @property
    def has_any(self) -> bool:
        return bool(self.painted or self.crossed)


def _painted_slices(paths: ExperimentPaths, history: History, scan: int) -> _PaintedSlices:
    """Give what is painted on the slices of a scan, as it is labelled now."""
    known = history.scans.get(scan)
    if known is None or known.labels is None or known.labels.grey is None:
        return _PaintedSlices()
    painted = read_painted(paths, scan)
    if painted.volume.resolve() != paths.resolve(known.labels.path).resolve():
        raise TrainingDataError(
            f"scan {scan} was painted before it was labelled anew; paint it again, or fine-tune "
            "from files with lithoscope labels export"
        )
    whole = {each.index for each in painted.planes if each.axis == "z"}
    across = [each.classes for each in painted.planes if each.axis != "z"]
    lined = sorted(
        {int(z) for each in across for z in np.flatnonzero((each != UNLABELLED).any(axis=1))}
        - whole
    )
    return _PaintedSlices(
        painted={z: painted.section(z) for z in sorted(whole)},
        crossed={z: painted.section(z) for z in _spread(lined)},
    )


def _spread(slices: Sequence[int]) -> list[int]:
    """Choose slices that lie apart, and not more than are needed."""
    found: list[int] = []
    apart = max(APART_PX + 1, -(-len(slices) // _CROSSED))
    for each in slices:
        if not found or each - found[-1] >= apart:
            found.append(each)
    return found


def _shown_with(history: History, painted: Collection[int]) -> set[int]:
    """Name the painted scans and those that a network is shown beside them: previous and first."""
    reference = reference_scan(history)
    shown = set(painted)
    for scan in painted:
        previous = previous_scan(history, history.scans[scan])
        if (
            previous is not None
            and reference is not None
            and has_faces(history.scans[scan].transform)
        ):
            shown |= {previous.scan, reference}
    return {each for each in shown if history.scans[each].labels is not None}


def _scan(paths: ExperimentPaths, scan: ScanHistory, slices: _PaintedSlices) -> PaintedScan:
    labels, transform = scan.labels, scan.transform
    if labels is None or labels.grey is None or transform is None:
        raise TrainingDataError(f"scan {scan.scan} is not labelled by a network or thresholds")
    volume = StoredVolume(paths.resolve(labels.path))
    shifts_px: NDArray[np.float32] | None = None
    if has_faces(transform):
        maps_path = None if transform.verdict == "reference" else transform.maps_path
        n_z, _, n_x = labels.shape
        shifts = read_shifts(paths, maps_path, (n_z, n_x), labels.voxel_um)
        shifts_px = np.stack([shifts.stripping_px, shifts.plating_px])
    return PaintedScan(
        scan=scan.scan,
        grey=volume,
        references=references_of(labels.grey.model_dump()),
        shifts_px=shifts_px,
        painted=slices.painted,
        crossed=slices.crossed,
    )

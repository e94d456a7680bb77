"""Labels of the experiments of a calibration, as the segment stage would make them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.calibration.images import CalibrationScans
from lithoscope_models.earlier_scans import EarlierScan, FaceShifts, lay_over
from lithoscope_models.errors import TrainingDataError
from lithoscope_models.network_pass import (
    NetworkChoice,
    label_region,
    load_for,
    run_network,
)
from lithoscope_pipeline.anatomy import AnatomyReference, find_side_thickness, label_anatomy
from lithoscope_pipeline.geometry import FloatVolume, LabelVolume
from lithoscope_pipeline.labels import classes_of
from lithoscope_pipeline.networks import Which
from lithoscope_pipeline.noise_grain import measure_grain
from lithoscope_pipeline.segment import (
    GreyReferences,
    find_grey_references,
    lithium_share,
    segment_layers,
)
from lithoscope_pipeline.sharpness import measure_blur

#: What labels are made by: a network that is shown earlier scans, the same without them, or
#: thresholds and the order of layers.
Source = Literal["network", "single_scan", "layers"]
SOURCES: Final[tuple[Source, ...]] = ("network", "single_scan", "layers")

#: Raised when the same network, or thresholds, may label the same image otherwise.
LABELS_VERSIONS: Final[Mapping[Source, int]] = MappingProxyType(
    {"network": 2, "single_scan": 1, "layers": 2}
)
_SLAB_ROWS: Final = 32
_POLARITY: Final = "denser_is_brighter"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledScans:
    """Labels of one experiment.

    Parameters
    ----------
    labels
        Of each source that was asked for, `Label`, shape (n_scans, n_z, n_y, n_x).
    cnr
        Contrast-to-noise of lithium against electrolyte in each scan.
    blur_px, grain
        How blurred its outer faces are, and how coarse its noise.
    """

    labels: Mapping[Source, NDArray[np.uint8]]
    cnr: tuple[float, ...]
    blur_px: tuple[float, ...]
    grain: tuple[float, ...]


def label_scans(
    folder: Path,
    scans: CalibrationScans,
    model: str,
    sha256: str,
    *,
    sources: Sequence[Source] = SOURCES,
) -> LabelledScans:
    """Label an experiment, or read the labels if they are there.

    Parameters
    ----------
    folder
        Of the experiment.
    scans
        Its scans.
    model, sha256
        Name or folder of the network, and which it is.
    sources
        Which labels are wanted. Those by thresholds serve every network.

    Raises
    ------
    TrainingDataError
        If the layers of the cell or its outer faces are not found in a scan.
    """
    references = [_references(scans, i) for i in range(len(scans.scans))]
    labels = {
        source: _read_or_make(folder, scans, references, source, model, sha256)
        for source in sources
    }
    return LabelledScans(
        labels=labels,
        cnr=tuple(each.cnr for each in references),
        blur_px=tuple(_blur_px(scans, i) for i in range(len(scans.scans))),
        grain=tuple(_grain(scans, i) for i in range(len(scans.scans))),
    )


def _read_or_make(
    folder: Path,
    scans: CalibrationScans,
    references: list[GreyReferences],
    source: Source,
    model: str,
    sha256: str,
) -> NDArray[np.uint8]:
    of_whom = "" if source == "layers" else f"-{sha256[:10]}"
    path = folder / f"labels-{source}{of_whom}-{LABELS_VERSIONS[source]}.npz"
    if path.is_file():
        return np.asarray(np.load(path)["labels"])
    if source == "layers":
        labels = np.stack(list(_by_layers(scans, references)))
    else:
        with_earlier = source == "network"
        labels = np.stack(list(_by_network(scans, references, model, with_earlier=with_earlier)))
    partial = path.with_suffix(f".{os.getpid()}.npz")
    np.savez_compressed(partial, labels=labels)
    os.replace(partial, path)
    return labels


def _blur_px(scans: CalibrationScans, index: int) -> float:
    blur_px = measure_blur(_grey(scans, index))
    if blur_px is None:
        raise TrainingDataError(
            f"{scans.name}, scan {scans.scans[index]}: the outer faces were not found"
        )
    return blur_px


def _grain(scans: CalibrationScans, index: int) -> float:
    grain = measure_grain(_grey(scans, index))
    if grain is None:
        raise TrainingDataError(
            f"{scans.name}, scan {scans.scans[index]}: the electrodes were not found"
        )
    return grain


def _references(scans: CalibrationScans, index: int) -> GreyReferences:
    references = find_grey_references(_grey(scans, index))
    if references.verdict != "resolved":
        raise TrainingDataError(
            f"{scans.name}, scan {scans.scans[index]}: the layers of the cell were not found"
        )
    return references


def _by_network(
    scans: CalibrationScans,
    references: list[GreyReferences],
    model: str,
    *,
    with_earlier: bool,
) -> Iterator[LabelVolume]:
    choice = NetworkChoice(
        model=model, polarity=_POLARITY, engine="auto", precision="auto", n_threads=1
    )
    for i in range(len(scans.scans)):
        grey = _grey(scans, i)
        network = load_for(choice, references[i], grey.shape, scans.voxel_um)
        shown = _earlier(scans, references, i) if i and with_earlier else ()
        found = run_network(
            network, grey, references[i], shown, voxel_um=scans.voxel_um, slab_rows=_SLAB_ROWS
        )
        labels, _ = label_region(
            found,
            references[i],
            voxel_um=scans.voxel_um,
            slab_rows=_SLAB_ROWS,
            half_cycle=scans.half_cycles[i],
            is_first_scan=i == 0,
        )
        yield labels


def _earlier(
    scans: CalibrationScans, references: list[GreyReferences], index: int
) -> tuple[EarlierScan, EarlierScan]:
    """Lay the scan before and the first one over a scan, each face where it was found to be."""
    now = _shifts(scans, index)

    def laid(which: Which, at: int) -> EarlierScan:
        return lay_over(
            which,
            _grey(scans, at),
            now=now,
            then=_shifts(scans, at),
            references=references[at],
            plating_inner_px=references[0].edges_px[2],
        )

    return laid("previous", index - 1), laid("first", 0)


def _shifts(scans: CalibrationScans, index: int) -> FaceShifts:
    columns = scans.grey.shape[1], scans.grey.shape[3]
    stripping, plating = (
        np.array(np.broadcast_to(shift, columns), np.float32) for shift in scans.shifts_px[index]
    )
    return FaceShifts(stripping_px=stripping, plating_px=plating)


def _by_layers(scans: CalibrationScans, references: list[GreyReferences]) -> Iterator[LabelVolume]:
    anatomy: AnatomyReference | None = None
    for i, half_cycle in enumerate(scans.half_cycles):
        grey = _grey(scans, i)
        labels = label_anatomy(
            segment_layers(grey, references[i]),
            anatomy,
            voxel_um=scans.voxel_um,
            lithium_share=lithium_share(grey, references[i]),
        )
        following = scans.half_cycles[i + 1] if i + 1 < len(scans.scans) else half_cycle
        is_turning = half_cycle == 0 and following > 0
        if anatomy is None:
            anatomy = AnatomyReference.from_first_scan(find_side_thickness(classes_of(labels)))
        elif is_turning:
            anatomy = anatomy.with_stripped(find_side_thickness(classes_of(labels)))
        yield labels


def _grey(scans: CalibrationScans, index: int) -> FloatVolume:
    return np.asarray(scans.grey[index], np.float32)

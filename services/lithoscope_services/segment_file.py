"""Segment one stored volume by itself, with earlier ones beside it if there are some."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lithoscope_models.earlier_scans import EarlierScan, FaceShifts, lay_over
from lithoscope_models.errors import ModelError
from lithoscope_models.network_pass import (
    NetworkChoice,
    label_region,
    load_for,
    region_references,
    run_network,
)
from lithoscope_pipeline.faces import make_patches, measure_swelling, reference_faces, to_columns
from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.register import GROWTH_UM
from lithoscope_pipeline.resample import VolumeSource
from lithoscope_pipeline.rigid import RigidTransform
from lithoscope_pipeline.segment import GreyReferences
from lithoscope_services.errors import ServiceError, SourceError
from lithoscope_services.settings.segment_table import SegmentSettings
from lithoscope_services.stages.segment.layers import label_by_layers
from lithoscope_services.stages.segment.network import usable_cores, write_probabilities
from lithoscope_services.stages.segment.written import LABEL_NAME, WrittenRegion
from lithoscope_services.stages.stored_volume import StoredVolume
from lithoscope_store import write_slab
from lithoscope_store.volumes import volume_info

_SLAB_ROWS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierFiles:
    """Earlier volumes of the same region, already laid over the one to be segmented.

    Parameters
    ----------
    previous, first
        Volumes; both or none.
    """

    previous: Path
    first: Path


def segment_file(
    path: Path,
    out: Path,
    settings: SegmentSettings,
    *,
    earlier: EarlierFiles | None = None,
    half_cycle: int = 0,
) -> dict[str, Any]:  # JSON
    """Label a volume whose y axis crosses all layers of the cell, and write a copy with labels.

    Parameters
    ----------
    path
        Volume (OME-Zarr), y rising from the stripping side, such as those in ``volumes`` of an
        experiment.
    out
        Volume to write: the grey values, and the labels inside it.
    settings
        The table ``segment``.
    earlier
        Earlier scans of the same region.
    half_cycle
        Number of the half-cycle in which it was taken, from 0.

    Returns
    -------
    dict
        What was done, and the voxels of each label.

    Raises
    ------
    SourceError
        If there is no such volume, or no cell in it.
    ServiceError
        If the model is refused, or no engine works here.
    """
    begin_s = time.monotonic()
    info = _info(path)
    volume = StoredVolume(path)
    references = _references(volume, path)
    region = WrittenRegion(
        path=out, shape=info.shape, voxel_um=info.voxel_um, slab_rows=_SLAB_ROWS
    )
    region.create(info.name, "")
    for z0 in range(0, info.shape[0], _SLAB_ROWS):
        z1 = min(z0 + _SLAB_ROWS, info.shape[0])
        write_slab(out, z0, volume[slice(z0, z1), slice(None), slice(None)])
    if settings.method == "layers":
        whole = volume[slice(None), slice(None), slice(None)]
        labels = label_by_layers(whole, references, None, voxel_um=info.voxel_um)
        document: dict[str, Any] = {"model": "layers"}
    else:
        try:
            labels, document = _by_network(
                volume, references, region, settings, earlier, half_cycle
            )
        except ModelError as error:
            raise ServiceError(str(error)) from error
    region.write_labels({LABEL_NAME: labels})
    counts = np.bincount(labels.ravel(), minlength=len(Label))
    return {
        "labels": str(out),
        "label_name": LABEL_NAME,
        "shape": list(info.shape),
        "voxel_um": info.voxel_um,
        "cnr_li_electrolyte": references.cnr,
        **document,
        "voxels": {label.key: int(counts[label]) for label in Label},
        "duration_s": time.monotonic() - begin_s,
    }


def _by_network(
    volume: VolumeSource,
    references: GreyReferences,
    region: WrittenRegion,
    settings: SegmentSettings,
    earlier: EarlierFiles | None,
    half_cycle: int,
) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], dict[str, Any]]:
    choice = NetworkChoice(
        model=settings.model,
        polarity=settings.polarity,
        engine=settings.engine,
        precision=settings.precision,
        n_threads=settings.n_threads or usable_cores(),
    )
    network = load_for(choice, references, region.shape, region.voxel_um)
    shown = [] if earlier is None else _lay_over(volume, earlier, region)
    found = run_network(
        network,
        volume,
        references,
        shown,
        voxel_um=region.voxel_um,
        slab_rows=region.slab_rows,
        with_probabilities=settings.probabilities,
    )
    # Who segments one file does not say whether it is the first scan: nothing is forbidden.
    labels, relabelled = label_region(
        found,
        references,
        voxel_um=region.voxel_um,
        slab_rows=region.slab_rows,
        half_cycle=half_cycle,
        is_first_scan=False,
    )
    folder = region.path.with_name(f"{region.path.stem}-probabilities")
    write_probabilities(folder, region, found, network.model.card.classes)
    return labels, {
        "model": network.model.card.name,
        "model_sha256": network.model.sha256,
        "engine": network.chosen.text,
        "passed_over": {each.engine: each.reason for each in network.chosen.passed_over},
        "earlier_scans_shown": len(found.shown),
        "soft_voxels": found.soft_voxels,
        "mean_confidence": found.mean_confidence,
        "low_share": found.low_share,
        "relabelled": relabelled,
    }


def _lay_over(
    volume: VolumeSource, earlier: EarlierFiles, region: WrittenRegion
) -> list[EarlierScan]:
    """Find how far the faces moved between the files, and lay the earlier ones over the last."""
    first, previous = (StoredVolume(place) for place in (earlier.first, earlier.previous))
    for place, source in ((earlier.first, first), (earlier.previous, previous)):
        if source.shape != region.shape:
            raise SourceError(
                f"{place}: has shape {source.shape}, the volume to segment {region.shape}; give "
                "volumes of one region, as in the folder volumes of an experiment"
            )
    greys = {"first": _references(first, earlier.first)}
    greys["previous"] = _references(previous, earlier.previous)
    faces = _FacesOfFirst(first, greys["first"], region)
    now, then = faces.shifts(volume, "the volume"), faces.shifts(previous, str(earlier.previous))
    inner_px = greys["first"].edges_px[2]
    still = FaceShifts.none((region.shape[0], region.shape[2]))
    return [
        lay_over(
            "previous",
            previous,
            now=now,
            then=then,
            references=greys["previous"],
            plating_inner_px=inner_px,
        ),
        lay_over(
            "first",
            first,
            now=now,
            then=still,
            references=greys["first"],
            plating_inner_px=inner_px,
        ),
    ]


class _FacesOfFirst:
    """The outer faces of the first volume, with which those of later ones are compared."""

    def __init__(
        self, first: VolumeSource, references: GreyReferences, region: WrittenRegion
    ) -> None:
        n_z, n_y, n_x = region.shape
        self._roi = Roi(z0=0, z1=n_z, y0=0, y1=n_y, x0=0, x1=n_x)
        self._still = RigidTransform(centre_px=(0.0, 0.0, 0.0))
        self._grid = make_patches(self._roi, region.voxel_um)
        self._faces = reference_faces(
            first,
            self._still,
            self._grid,
            outer_px=(references.edges_px[0], references.edges_px[3]),
            voxel_um=region.voxel_um,
            growth_px=GROWTH_UM / region.voxel_um,
        )

    def shifts(self, volume: VolumeSource, name: str) -> FaceShifts:
        """Measure how far the faces of a later volume have moved."""
        found = measure_swelling(volume, self._still, self._faces)
        for side in (found.stripping, found.plating):
            if side.verdict != "resolved":
                raise SourceError(
                    f"{name}: an outer face was not found ({side.reason}); leave --previous and "
                    "--first out"
                )
        return FaceShifts(
            stripping_px=to_columns(found.stripping.map_px, self._grid, self._roi),
            plating_px=to_columns(found.plating.map_px, self._grid, self._roi),
        )


def _info(path: Path) -> Any:  # a VolumeInfo
    if not path.is_dir():
        raise SourceError(f"{path}: no Zarr volume; give the folder VOL.zarr")
    return volume_info(path)


def _references(volume: VolumeSource, path: Path) -> GreyReferences:
    found = region_references(volume)
    if found.verdict != "resolved":
        raise SourceError(
            f"{path}: no electrode, electrolyte, electrode along y; cut the region of the cell "
            "out first, as lithoscope does in the folder volumes of an experiment"
        )
    return found

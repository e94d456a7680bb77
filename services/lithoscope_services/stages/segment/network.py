"""A scan by a network: with the earlier scans beside it, and once more without them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lithoscope_messages import ConfidenceFinding, DistributionFinding
from lithoscope_models.card import ModelCard
from lithoscope_models.earlier_scans import EarlierScan
from lithoscope_models.errors import ModelError
from lithoscope_models.network_pass import (
    LoadedNetwork,
    NetworkChoice,
    NetworkPass,
    label_region,
    load_for,
    run_network,
)
from lithoscope_models.training_scans import describe_pass, read_training
from lithoscope_pipeline.distribution import training_distance
from lithoscope_pipeline.resample import VolumeSource
from lithoscope_pipeline.segment import GreyReferences
from lithoscope_services.errors import ServiceError
from lithoscope_services.stage import Task
from lithoscope_services.stages.segment.earlier import (
    EARLIER,
    SINGLE_SCAN_FLAG,
    Greys,
    read_earlier,
)
from lithoscope_services.stages.segment.written import (
    LABEL_NAME,
    SINGLE_SCAN_LABEL_NAME,
    WrittenRegion,
)
from lithoscope_store import (
    ExperimentPaths,
    array_sha256,
    create_volume,
    finish_volume,
    write_slab,
)

VOXEL_FLAG = "voxel_size_not_trained_on"
VOXEL_RATIO = 1.5
UNLIKE_FLAG = "unlike_training"


def label_by_network(
    task: Task,
    paths: ExperimentPaths,
    region: WrittenRegion,
    volume: VolumeSource,
    references: GreyReferences,
) -> Mapping[str, Any]:  # fields of a LabelsReady
    """Label a region and write it.

    Raises
    ------
    ServiceError
        If the model is refused, or no engine works here.
    """
    network = network_of(task, region, references)
    earlier = earlier_of(task, paths, region, network)
    found = _run(network, volume, references, earlier, task, region)
    alone = _run(network, volume, references, (), task, region) if found.shown else None
    return write_passes(task, paths, region, volume, references, network, found, alone)


def network_of(task: Task, region: WrittenRegion, references: GreyReferences) -> LoadedNetwork:
    """Load the network of a task.

    Raises
    ------
    ServiceError
        If the model is refused, or no engine works here.
    """
    try:
        return load_for(_choice(task), references, region.shape, region.voxel_um)
    except ModelError as error:
        raise ServiceError(f"scan {task.scan}: {error}") from error


def earlier_of(
    task: Task,
    paths: ExperimentPaths,
    region: WrittenRegion,
    network: LoadedNetwork,
    greys: Greys | None = None,
) -> Sequence[EarlierScan]:
    """Lay the earlier scans of a task that the network wants to see over the present one."""
    if not _wants_earlier(task, network):
        return ()
    wanted = network.model.card.inputs.inputs.earlier
    return [scan for scan in read_earlier(task, paths, region, greys) if scan.which in wanted]


def _wants_earlier(task: Task, network: LoadedNetwork) -> bool:
    return bool(task.arguments["shown"] and network.model.card.inputs.inputs.earlier)


def write_passes(
    task: Task,
    paths: ExperimentPaths,
    region: WrittenRegion,
    volume: VolumeSource,
    references: GreyReferences,
    network: LoadedNetwork,
    found: NetworkPass,
    apart: NetworkPass | None,
) -> Mapping[str, Any]:  # fields of a LabelsReady
    """Write the labels of a region.

    Parameters
    ----------
    task, paths, region, volume, references, network
        As for the other functions here.
    found
        What the network makes of it, with the earlier scans that could be shown.
    apart
        The same without them; None if none was shown.
    """
    parameters = task.parameters
    labels, relabelled = _labels(found, references, task, region)
    written = {LABEL_NAME: labels}
    agreement = None
    if apart is not None:
        written[SINGLE_SCAN_LABEL_NAME], _ = _labels(apart, references, task, region)
        same = found.segments == apart.segments
        agreement = float(np.count_nonzero(same)) / same.size
    distribution = _distribution(network, volume, references, apart or found, region.voxel_um)
    region.write_labels(written)
    if found.probabilities is not None:
        folder = paths.root / "probabilities" / region.path.name
        write_probabilities(folder, region, found, network.model.card.classes)
    return {
        "sha256": array_sha256(labels),
        "model": network.model.card.name,
        "model_sha256": network.model.sha256,
        "engine": network.chosen.text,
        "polarity": parameters["polarity"],
        "single_scan_label_name": SINGLE_SCAN_LABEL_NAME if apart is not None else None,
        "earlier_scans": tuple(
            place["scan"]
            for which, place in zip(EARLIER, task.arguments["shown"], strict=False)
            if which in found.shown
        ),
        "soft_voxels": found.soft_voxels,
        "confidence": ConfidenceFinding(
            mean=found.mean_confidence,
            low_share=found.low_share,
            single_scan_agreement=agreement,
        ),
        "distribution": distribution,
        "validated_on": tuple(_passed_on(network.model.card)),
        "validated_on_simulated": _is_for_simulated(network.model.card, region.voxel_um),
        "relabelled": relabelled,
        "unsegmented": (),
        "flags": (
            *_voxel_flags(network, region.voxel_um),
            *((UNLIKE_FLAG,) if _is_unlike(distribution) else ()),
            *((SINGLE_SCAN_FLAG,) if _wants_earlier(task, network) and not found.shown else ()),
        ),
    }


def _distribution(
    network: LoadedNetwork,
    volume: VolumeSource,
    references: GreyReferences,
    alone: NetworkPass,
    voxel_um: float,
) -> DistributionFinding | None:
    """Say how far a scan lies from those of the training; None where those are not known."""
    training = read_training(network.model.folder)
    if training is None:
        return None
    described = describe_pass(volume, references, alone, voxel_um=voxel_um)
    found = training_distance(described, training)
    return DistributionFinding(
        distance=found.distance, limit=training.limit, farthest=found.farthest
    )


def _is_unlike(finding: DistributionFinding | None) -> bool:
    return finding is not None and finding.distance > finding.limit


def _voxel_flags(network: LoadedNetwork, voxel_um: float) -> tuple[str, ...]:
    """Say that voxels are much larger or smaller than those the network has learned from."""
    trained_um = network.model.card.voxel_um
    return () if trained_um is None or _is_near(voxel_um, trained_um) else (VOXEL_FLAG,)


def _is_near(voxel_um: float, other_um: float) -> bool:
    return 1 / VOXEL_RATIO <= voxel_um / other_um <= VOXEL_RATIO


def _passed_on(card: ModelCard) -> Iterator[str]:
    """Name the experiments whose painted slices a model was judged by, and passed."""
    for each in card.validated_on:
        if each.experiment is not None and not each.why_not:
            yield each.experiment


def _is_for_simulated(card: ModelCard, voxel_um: float) -> bool:
    """Say whether a model was scored on simulated cells with voxels of about this size."""
    if card.voxel_um is None or not card.was_scored_on_simulated_cells:
        return False
    return _is_near(voxel_um, card.voxel_um)


def _choice(task: Task) -> NetworkChoice:
    parameters = task.parameters
    return NetworkChoice(
        model=parameters["model"],
        polarity=parameters["polarity"],
        engine=parameters["engine"],
        precision=parameters["precision"],
        n_threads=task.arguments["n_threads"] or usable_cores(),
    )


def usable_cores() -> int:
    """Count the cores that this process may use.

    No more than ``OMP_NUM_THREADS`` says, by which Dask and Slurm share a machine out.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    allowed = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(cores, int(allowed)) if allowed.isdecimal() and int(allowed) else cores


def _run(
    network: LoadedNetwork,
    volume: VolumeSource,
    references: GreyReferences,
    earlier: Sequence[EarlierScan],
    task: Task,
    region: WrittenRegion,
) -> NetworkPass:
    return run_network(
        network,
        volume,
        references,
        earlier,
        voxel_um=region.voxel_um,
        slab_rows=region.slab_rows,
        with_probabilities=task.parameters["probabilities"],
    )


def _labels(
    found: NetworkPass, references: GreyReferences, task: Task, region: WrittenRegion
) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], dict[str, int]]:
    return label_region(
        found,
        references,
        voxel_um=region.voxel_um,
        slab_rows=region.slab_rows,
        half_cycle=task.parameters["half_cycle"],
        is_first_scan=task.parameters["is_first_scan"],
    )


def write_probabilities(
    folder: Path, region: WrittenRegion, found: NetworkPass, classes: Sequence[str]
) -> None:
    """Write one volume a class, probabilities in 255ths."""
    if found.probabilities is None:
        return
    for index, name in enumerate(classes):
        path = folder / f"{name}.zarr"
        create_volume(
            path,
            shape=region.shape,
            voxel_um=region.voxel_um,
            dtype="uint8",
            name=f"probability of {name}",
            slab_slices=region.slab_rows,
            unit="1/255",
        )
        for z0 in range(0, region.shape[0], region.slab_rows):
            z1 = min(z0 + region.slab_rows, region.shape[0])
            write_slab(path, z0, np.ascontiguousarray(found.probabilities[z0:z1, index]))
        finish_volume(path)

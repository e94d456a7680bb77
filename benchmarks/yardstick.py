"""How hard the simulated cell is: a known network, trained as the literature did, scores so much.

The network is the residual U-Net of seven levels by MONAI, trained on 42 cross-section slices.
Hand labels of the real cell gave dendrites an IoU of about 0.7 and deposited lithium 0.79; the
default cell must lie around there, or every later number would mean little.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.tables import Report, Table
from lithoscope_pipeline.correct import Correction
from lithoscope_pipeline.geometry import Roi, field_axis_px
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.phantom import SimulatedCell, make_cell
from lithoscope_pipeline.phase_retrieval import PaganinFilter
from lithoscope_pipeline.reconstruct import reconstruct_slab
from lithoscope_pipeline.resample import resample_region
from lithoscope_pipeline.rigid import RigidTransform

Slices = NDArray[np.float32]
Classes = NDArray[np.uint8]

CLASSES: Final = ("background", "electrolyte", "electrode", "deposited", "dendrite", "pit", "void")
_CLASS_OF_LABEL: Final = {
    Label.BACKGROUND: 0,
    Label.ELECTROLYTE: 1,
    Label.STRIPPING_ELECTRODE: 2,
    Label.PLATING_ELECTRODE: 2,
    Label.DEPOSITED: 3,
    Label.REDEPOSITED: 3,
    Label.DENDRITE: 4,
    Label.PIT: 5,
    Label.VOID: 6,
}
CHANNELS: Final = (32, 64, 128, 256, 512, 512, 512)
PATCH_PX: Final = 256
N_TRAINING_SLICES: Final = 42
_STEPS: Final = 700
_LEARNING_RATE: Final = 1e-3
_TRAINING_SEEDS: Final = (101, 102)
_TEST_SEEDS: Final = (201, 202)
_SCANS: Final = (3, 6, 9, 12, 15, 18, 22)
_TEST_SCANS: Final = (4, 8, 12, 16, 20)
_SLICES_OF_SCAN: Final = 3
_CLASS_POWER: Final = 0.5  # weights fall with the root of the frequency of a class


@dataclass(frozen=True, slots=True, kw_only=True)
class Slabs:
    """Cross-sections with their truth.

    Parameters
    ----------
    grey
        Attenuation, 1/cm, shape (n_slices, n_y, n_x).
    classes
        Indices into ``CLASSES``, of the same shape.
    """

    grey: Slices
    classes: Classes


def measure(*, is_quick: bool) -> Report:
    """Train and score the network on the default cell."""
    begin_s = time.monotonic()
    n_steps = 20 if is_quick else _STEPS
    training = _slices(_TRAINING_SEEDS[:1] if is_quick else _TRAINING_SEEDS, _SCANS)
    chosen = slice(0, N_TRAINING_SLICES)
    training = Slabs(grey=training.grey[chosen], classes=training.classes[chosen])
    test = _slices(_TEST_SEEDS[:1] if is_quick else _TEST_SEEDS, _TEST_SCANS)
    made_s = time.monotonic() - begin_s
    network = _train(training, n_steps)
    trained_s = time.monotonic() - begin_s - made_s
    confusion = _confusion(network, test)
    return _report(
        confusion, test, n_training=len(training.grey), made_s=made_s, trained_s=trained_s
    )


def _slices(seeds: Sequence[int], scans: Sequence[int]) -> Slabs:
    parts = [part for seed in seeds for part in _slices_of(seed, scans)]
    return Slabs(
        grey=np.concatenate([part.grey for part in parts]),
        classes=np.concatenate([part.classes for part in parts]),
    )


def _slices_of(seed: int, scans: Sequence[int]) -> Iterator[Slabs]:
    cell = make_cell("small", seed=seed, n_scans=25)
    lookup = np.zeros(256, np.uint8)
    for label, index in _CLASS_OF_LABEL.items():
        lookup[label] = index
    roi = cell.roi
    step = (roi.z1 - roi.z0) // (_SLICES_OF_SCAN + 1)
    for scan in scans:
        volume = _reconstruct(cell, scan)
        for part in range(_SLICES_OF_SCAN):
            z0 = roi.z0 + (part + 1) * step
            box = replace(roi, z0=z0, z1=z0 + 1)
            yield Slabs(
                grey=_resampled(volume, cell, scan, box), classes=lookup[cell.labels(scan, box)]
            )


def _reconstruct(cell: SimulatedCell, scan: int) -> Slices:
    """Reconstruct a scan as the reconstruct stage does, at the true axis."""
    frames = cell.frames(scan)
    return reconstruct_slab(
        np.stack(list(frames.projections)),
        frames.flats,
        frames.darks,
        np.radians(cell.thetas_deg),
        rotation_axis_px=cell.rotation_axis_px,
        voxel_um=cell.voxel_um,
        correction=Correction(
            rings="median",
            phase=PaganinFilter(
                distance_mm=cell.cell.optics.distance_mm,
                energy_keV=cell.cell.optics.energy_keV,
                voxel_um=cell.voxel_um,
            ),
        ),
    )


def _resampled(volume: Slices, cell: SimulatedCell, scan: int, box: Roi) -> Slices:
    """Bring a box of a scan to the frame of the cell by the true drift."""
    drift, n_columns = cell.drift(scan), cell.detector.n_columns
    middle = field_axis_px(n_columns)
    transform = RigidTransform(
        rotation_deg=drift.rotation_deg,
        shift_px=drift.shift_px,
        centre_px=(field_axis_px(cell.detector.n_rows), middle, middle),
    )
    return resample_region(volume, transform, roi=box).volume


# ``Any`` below: torch has no types where it is not installed.
def _train(slabs: Slabs, n_steps: int) -> Any:
    import torch
    from monai.networks.nets import UNet

    torch.manual_seed(7)
    rng = np.random.default_rng(7)
    network = UNet(
        spatial_dims=2,
        in_channels=1,
        out_channels=len(CLASSES),
        channels=CHANNELS,
        strides=(2,) * (len(CHANNELS) - 1),
        num_res_units=2,
        dropout=0.2,
        adn_ordering="ADN",
    )
    counts = np.bincount(slabs.classes.ravel(), minlength=len(CLASSES)) + 1.0
    weights = (counts.sum() / counts) ** _CLASS_POWER
    loss = torch.nn.CrossEntropyLoss(
        weight=torch.tensor(weights / weights.mean(), dtype=torch.float32), ignore_index=255
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=_LEARNING_RATE, total_steps=n_steps
    )
    network.train()
    for _ in range(n_steps):
        grey, classes = _batch(slabs, rng)
        optimiser.zero_grad()
        error = loss(network(torch.from_numpy(grey)), torch.from_numpy(classes))
        error.backward()
        optimiser.step()
        schedule.step()
    return network.eval()


def _batch(slabs: Slabs, rng: np.random.Generator) -> tuple[Slices, NDArray[np.int64]]:
    """Draw two slices, flipped along x, shifted, and changed in brightness and contrast."""
    grey, classes = [], []
    for index in rng.integers(0, len(slabs.grey), 2):
        image, truth = _padded(slabs.grey[index], slabs.classes[index], rng)
        if rng.random() < 0.5:
            image, truth = image[:, ::-1], truth[:, ::-1]
        image = image * rng.uniform(0.95, 1.05) + rng.uniform(-0.05, 0.05)
        grey.append(image)
        classes.append(truth)
    return (
        np.stack(grey)[:, None].astype(np.float32),
        np.stack(classes).astype(np.int64),
    )


def _padded(
    image: Slices, truth: Classes, rng: np.random.Generator | None
) -> tuple[Slices, NDArray[np.int64]]:
    """Put a slice into a patch, anywhere or in its middle; what is outside has no class."""
    image = (image - image.mean()) / image.std()
    room = [PATCH_PX - edge for edge in image.shape]
    if min(room) < 0:
        image, truth = image[:PATCH_PX, :PATCH_PX], truth[:PATCH_PX, :PATCH_PX]
        room = [PATCH_PX - edge for edge in image.shape]
    first = [int(rng.integers(0, each + 1)) if rng else each // 2 for each in room]
    pad = [(low, each - low) for low, each in zip(first, room, strict=True)]
    return (
        np.pad(image, pad, mode="reflect"),
        np.pad(truth.astype(np.int64), pad, constant_values=255),
    )


def _confusion(network: Any, slabs: Slabs) -> NDArray[np.int64]:
    """Count voxels by (truth, prediction)."""
    import torch

    n = len(CLASSES)
    out = np.zeros((n, n), np.int64)
    with torch.no_grad():
        for image, truth in zip(slabs.grey, slabs.classes, strict=True):
            grey, classes = _padded(image, truth, None)
            logits = network(torch.from_numpy(grey[None, None].astype(np.float32)))
            found = logits.argmax(1)[0].numpy()
            known = classes != 255
            out += np.bincount(n * classes[known] + found[known], minlength=n * n).reshape(n, n)
    return out


def _report(
    confusion: NDArray[np.int64], test: Slabs, *, n_training: int, made_s: float, trained_s: float
) -> Report:
    both = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - both
    rows = [
        (name, f"{both[i] / union[i]:.3f}" if union[i] else "-", str(int(confusion[i].sum())))
        for i, name in enumerate(CLASSES)
    ]
    electrolyte, electrode = (test.grey[test.classes == index] for index in (1, 2))
    contrast_to_noise = (electrolyte.mean() - electrode.mean()) / electrolyte.std()
    return Report(
        title="The yardstick: how hard the default simulated cell is",
        method=(
            f"MONAI's residual U-Net, 7 levels of {CHANNELS} channels, two units a level, trained "
            f"from scratch on {n_training} slices of cells {_TRAINING_SEEDS} at size small: "
            f"{_STEPS} steps of two slices, AdamW with one cycle to {_LEARNING_RATE:g}, "
            "cross-entropy weighted by the root of the inverse frequency, flips along x. Scored "
            f"on cells {_TEST_SEEDS} that it never saw. Volumes are reconstructed by our chain at "
            "the true axis and brought to the cell's frame by the true drift.",
            f"Contrast of lithium to electrolyte over the noise of the electrolyte: "
            f"{contrast_to_noise:.2f}. Slices made in {made_s:.0f} s, network trained in "
            f"{trained_s:.0f} s.",
        ),
        tables=(
            Table(title="IoU on held-out cells", columns=("class", "IoU", "voxels"), rows=rows),
        ),
        packages=("torch", "monai"),
    )

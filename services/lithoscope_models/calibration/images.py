"""Scans of the experiments of a calibration, with their truth, on disk: made once."""

import fcntl
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.calibration.draws import Experiment, Plan
from lithoscope_models.data.cells import drawn_cell
from lithoscope_models.data.chain import chain_scans_of
from lithoscope_models.data.image_level import imaged
from lithoscope_models.data.image_model import ImageModel
from lithoscope_models.data.measured_models import measured_model
from lithoscope_models.errors import TrainingDataError
from lithoscope_models.replaced_file import replace_file
from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.geometry import FloatVolume, LabelVolume, Roi
from lithoscope_pipeline.measure import ChargeState
from lithoscope_pipeline.phantom import SIZES, SimulatedCell
from lithoscope_pipeline.phantom.provenance import SIMULATOR_VERSION

_CARD: Final = "images.json"
_LOCK: Final = "lock"
_STREAM: Final = 74
_POUCH_PX: Final = 24
# Of the experiments that go through the whole chain; the view is that of the size.
_CHAIN_PLAN: Final = Plan(scans=(0, 4, 8, 12, 20))


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationScans:
    """An experiment of the calibration.

    Parameters
    ----------
    name, family, towards
        Which one; the family that it is part of the way to, None if it is none.
    voxel_um, active_area_cm2
        Edge of a voxel; active area of the whole cell.
    scans, pulses, half_cycles
        Number of each scan, pulses before it, its half-cycle.
    charges
        What the cycler says at each scan.
    stack_um
        Distance of the outer faces in each scan, as the simulator has it.
    grey, truth
        Attenuation, float16, and true `Label` of each scan, shape (n_scans, n_z, n_y, n_x).
    shifts_px
        Displacement of the two outer faces as it would be measured, voxels, shape (n_scans, 2),
        or (n_scans, 2, n_z, n_x) as it was.
    """

    name: str
    family: str
    towards: str | None
    voxel_um: float
    active_area_cm2: float
    scans: tuple[int, ...]
    pulses: tuple[int, ...]
    half_cycles: tuple[int, ...]
    charges: tuple[ChargeState, ...]
    stack_um: tuple[float, ...]
    grey: NDArray[np.float16]
    truth: NDArray[np.uint8]
    shifts_px: NDArray[np.float64]


def make_images(folder: Path, experiment: Experiment, plan: Plan, models: Path) -> Path:
    """Make the scans of an experiment if they are not there; give their folder.

    Parameters
    ----------
    folder
        Of all experiments.
    experiment, plan
        Which one, and what is looked at.
    models
        Folder where blur and noise of each family are kept once they have been measured.
    """
    out = folder / f"{experiment.name}-{_key(experiment, plan)}"
    with _alone_in(out) as is_made:
        if not is_made:
            _make_images(out, experiment, plan, models)
    return out


def _make_images(out: Path, experiment: Experiment, plan: Plan, models: Path) -> None:
    cell = drawn_cell(experiment.cell, view_px=plan.view_px, bridge_pulse=experiment.bridge_pulse)
    roi = _box(cell, plan)
    model = experiment_model(models, experiment)
    noisy = replace(model, noise=model.noise * experiment.noise)
    grey = [_imaged(cell, scan, roi, noisy) for scan in plan.scans]
    truth = [cell.labels(scan, roi) for scan in plan.scans]
    shifts_px = experiment.face_errors_px(len(plan.scans))
    shifts_px[:, 1] += _outer_moved_px(cell, plan.scans)
    _write(out, grey, truth, shifts_px, _card(experiment, cell, plan.scans))


def make_chain_images(folder: Path, experiment: Experiment) -> Path:
    """Make some scans of an experiment through the whole chain, if they are not there.

    Frames with the noise of an experiment are corrected and reconstructed in the whole view of
    the size, and laid into the frame by the true drift; the faces are measured. They are blurred
    as their family is, and no more.

    Parameters
    ----------
    folder, experiment
        As for `make_images`.

    Raises
    ------
    TrainingDataError
        If the layers or an outer face are not found in a scan.
    """
    out = folder / f"chain-{experiment.name}-{_key(experiment, _CHAIN_PLAN)}"
    with _alone_in(out) as is_made:
        if not is_made:
            _make_chain_images(out, experiment)
    return out


def _make_chain_images(out: Path, experiment: Experiment) -> None:
    cell = drawn_cell(experiment.cell, bridge_pulse=experiment.bridge_pulse)
    photons = SIZES[experiment.cell.size].photons / experiment.noise**2
    cell = replace(cell, detector=replace(cell.detector, photons=photons))
    grey, truth, shifts_px = [], [], []
    for scan in chain_scans_of(cell, _CHAIN_PLAN.scans):
        if scan.shifts_px is None:
            raise TrainingDataError(f"{experiment.name}, scan {scan.scan}: no outer face")
        grey.append(scan.grey)
        truth.append(cell.labels(scan.scan, scan.roi))
        shifts_px.append(scan.shifts_px)
    _write(out, grey, truth, np.stack(shifts_px), _card(experiment, cell, _CHAIN_PLAN.scans))


@contextmanager
def _alone_in(folder: Path) -> Iterator[bool]:
    """Keep other processes out of the folder of an experiment; say whether it is made already."""
    if (folder / _CARD).is_file():
        yield True
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a process that dies lets it go
        yield (folder / _CARD).is_file()


def _write(
    out: Path,
    grey: Sequence[FloatVolume],
    truth: Sequence[LabelVolume],
    shifts_px: NDArray[np.floating],
    card: dict[str, Any],  # JSON
) -> None:
    """Write the arrays and, when all are there, the card that makes them count."""
    np.save(out / "grey.npy", np.stack(grey).astype(np.float16))
    np.savez_compressed(out / "truth.npz", truth=np.stack(truth))
    np.save(out / "shifts.npy", shifts_px)
    replace_file(out / _CARD, json.dumps(card, indent=1))


def read_images(folder: Path) -> CalibrationScans:
    """Read the scans of an experiment that `make_images` has made."""
    card = json.loads((folder / _CARD).read_text())
    return CalibrationScans(
        name=folder.name,
        family=card["family"],
        towards=card.get("towards"),
        voxel_um=card["voxel_um"],
        active_area_cm2=card["active_area_cm2"],
        scans=tuple(card["scans"]),
        pulses=tuple(card["pulses"]),
        half_cycles=tuple(card["half_cycles"]),
        charges=tuple(ChargeState(**each) for each in card["charges"]),
        stack_um=tuple(card["stack_um"]),
        grey=np.load(folder / "grey.npy", mmap_mode="r"),
        truth=np.load(folder / "truth.npz")["truth"],
        shifts_px=np.load(folder / "shifts.npy"),
    )


def experiment_model(folder: Path, experiment: Experiment) -> ImageModel:
    """Give blur and noise of an experiment; between two families they lie between theirs."""
    cell = experiment.cell
    own = measured_model(folder, cell.size, cell.family)
    if cell.towards is None:
        return own
    other = measured_model(folder, cell.size, cell.towards)
    # Two blurs in a row multiply, and part of a blur is a power of it.
    return ImageModel(
        transfer=own.transfer ** (1.0 - cell.share) * other.transfer**cell.share,
        noise=own.noise ** (1.0 - cell.share) * other.noise**cell.share,
    )


def _key(experiment: Experiment, plan: Plan) -> str:
    """Name all that the bytes depend on."""
    drawn = asdict(experiment) | {"cell": experiment.cell.told()}
    del drawn["blur_px"]  # comes when they are looked at
    told = {
        **drawn,
        "scans": plan.scans,
        "view": plan.view_px,
        "box": plan.box_px,
        "version": SIMULATOR_VERSION,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:10]


def _box(cell: SimulatedCell, plan: Plan) -> Roi:
    """Cut the box out of the middle of the view, the plating side's pouch at its end."""
    n_z, n_y, n_x = plan.box_px
    roi = cell.roi
    y1 = min(roi.y1 + _POUCH_PX, cell.detector.n_columns)
    x0 = (roi.x0 + roi.x1 - n_x) // 2
    box = Roi(z0=roi.z0, z1=roi.z0 + n_z, y0=y1 - n_y, y1=y1, x0=x0, x1=x0 + n_x)
    if box.y0 < 0 or box.x0 < roi.x0 or box.x1 > roi.x1 or box.z1 > roi.z1:
        raise ParameterError(f"{box} does not lie in {roi}; take a wider view")
    return box


def _imaged(cell: SimulatedCell, scan: int, roi: Roi, model: ImageModel) -> FloatVolume:
    rng = np.random.default_rng([cell.cell.seed, scan, _STREAM])
    z, y, x = (each - round(each) for each in cell.drift(scan).shift_px)
    return imaged(cell, scan, roi, model, rng, shift_px=(z, y, x))


def _outer_moved_px(cell: SimulatedCell, scans: Sequence[int]) -> NDArray[np.float64]:
    outer_um = np.array([cell.planes(scan).outer_high_um for scan in scans])
    return np.asarray((outer_um - outer_um[0]) / cell.voxel_um)


def _card(
    experiment: Experiment, cell: SimulatedCell, scans: Sequence[int]
) -> dict[str, Any]:  # JSON
    points = [cell.schedule[scan] for scan in scans]
    return {
        "family": experiment.cell.family,
        "towards": experiment.cell.towards,
        "experiment": asdict(experiment),
        "voxel_um": cell.voxel_um,
        "active_area_cm2": cell.cell.active_area_cm2,
        "scans": list(scans),
        "pulses": [point.pulse for point in points],
        "half_cycles": [point.half_cycle for point in points],
        "charges": [asdict(_charge(cell, scan, scans)) for scan in scans],
        "stack_um": [_stack_um(cell, scan) for scan in scans],
        "simulator_version": SIMULATOR_VERSION,
    }


def _stack_um(cell: SimulatedCell, scan: int) -> float:
    planes = cell.planes(scan)
    return planes.outer_high_um - planes.outer_low_um


def _charge(cell: SimulatedCell, scan: int, scans: Sequence[int]) -> ChargeState:
    """Say what the cycler would, counted from the last scan of the half-cycle before."""
    point = cell.schedule[scan]
    before = [cell.schedule[each] for each in scans]
    before = [each for each in before if each.half_cycle < point.half_cycle]
    start = before[-1] if before else cell.schedule[0]
    passed_mah_cm2 = point.throughput_mAh_cm2 - start.throughput_mAh_cm2
    return ChargeState(
        receiving_side="plating" if point.half_cycle % 2 == 0 else "stripping",
        charge_mAh=passed_mah_cm2 * cell.cell.active_area_cm2,
        n_pulses=float(point.pulse - start.pulse),
        net_charge_mAh=point.charge_mAh,
    )

"""The distance of a scan from the training, against the error of its volumes: 60 shifted scans."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.shifted_scans import KINDS, Kind, Rendered, Shift, Source, render, shifted
from benchmarks.tables import Report, Table
from benchmarks.told_errors import OFF, Surroundings, Volume, volumes_of
from lithoscope_models.earlier_scans import FaceShifts, lay_over
from lithoscope_models.model_file import DEFAULT_MODEL, model_sha256
from lithoscope_models.network_pass import (
    NetworkChoice,
    NetworkPass,
    label_region,
    load_for,
    run_network,
)
from lithoscope_models.settled import Earlier
from lithoscope_models.training_scans import describe_pass, read_training
from lithoscope_pipeline.distribution import training_distance
from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.labels import SegmentClass, segments_of
from lithoscope_pipeline.noise_grain import measure_grain
from lithoscope_pipeline.phantom import SIZES
from lithoscope_pipeline.segment import GreyReferences, find_grey_references
from lithoscope_pipeline.sharpness import measure_blur

STORED: Final = Path(__file__).parent / "results" / "out_of_distribution.json"
#: Blur and noise of each family are measured once, a minute each.
MODELS: Final = Path(gettempdir()) / "lithoscope-image-models"
_WANTED: Final = 0.6
_SCANS: Final = ((0, 4, 6), (0, 6, 8), (0, 8, 10), (0, 10, 12), (0, 10, 11), (0, 6, 9))
_THIN: Final = (
    *(SegmentClass.DEPOSITED, SegmentClass.DENDRITE, SegmentClass.PIT, SegmentClass.VOID),
)
_FIRST_SEED: Final = 8100
_SIZE: Final = "small"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A shifted scan: how, how far from the training, and how wrong its volumes are.

    Parameters
    ----------
    kind, strength, seed
        What was done to which cell.
    distance
        In units of the limit; None if no layers were found and the scan was refused.
    error
        Volumes of deposited, dendrite, pit and void that are wrong, over their true volume.
    farthest
        Numbers that differ most.
    found, true
        Volumes by name of the metric, cubic micrometres.
    surroundings
        What their intervals depend on; these are of the calibration when they are asked for.
    """

    kind: str
    strength: float
    seed: int
    distance: float | None
    error: float | None
    farthest: tuple[str, ...]
    found: dict[str, float]
    true: dict[str, float]
    surroundings: Surroundings | None

    @property
    def volumes(self) -> dict[str, Volume]:
        """Volumes with their intervals."""
        if self.surroundings is None:
            return {}
        return volumes_of(self.found, self.true, self.surroundings)


def measure(*, is_quick: bool) -> Report:
    """Make the scans that are not stored yet for this network; some seconds each."""
    sha256, training = model_sha256(DEFAULT_MODEL), read_training(DEFAULT_MODEL)
    if training is None:
        raise SystemExit("run lithoscope model describe first")
    told = json.loads(STORED.read_text()) if STORED.is_file() else {}
    key = f"{sha256}-{training.limit:.6f}"
    cases = [_case_of(each) for each in told["cases"]] if told.get("key") == key else []
    for cell in range(1 if is_quick else len(_SCANS)):
        if any(each.seed == _FIRST_SEED + cell for each in cases):
            continue
        cases += _of_cell(cell)
        if not is_quick:
            STORED.write_text(
                json.dumps({"key": key, "cases": [asdict(each) for each in cases]}) + "\n"
            )
    return _report(cases)


def _case_of(told: dict[str, Any]) -> Case:  # JSON
    scan = told["surroundings"]
    return Case(
        **{
            **told,
            "farthest": tuple(told["farthest"]),
            "surroundings": None if scan is None else Surroundings(**scan),
        }
    )


def _of_cell(cell: int) -> list[Case]:
    seed = _FIRST_SEED + cell
    rng = np.random.default_rng(seed)
    kinds: list[Kind] = [kind for kind in KINDS if kind != "polarity"]
    strengths = rng.permutation((np.arange(len(kinds)) + rng.random(len(kinds))) / len(kinds))
    drawn = [*zip(kinds, strengths, strict=True), ("polarity", 1.0)]
    return [_case(cell, Shift(kind=kind, strength=float(u), seed=seed)) for kind, u in drawn]


def _case(cell: int, shift: Shift) -> Case:
    source = Source(seed=shift.seed)
    if shift.kind == "growth":
        family = ("mossy", "filaments")[cell % 2]
        source = Source(seed=shift.seed, family=family, spread=2.0 * shift.strength)  # type: ignore[arg-type]  # one of two families
    scans = [shifted(render(source, scan, MODELS), shift) for scan in _SCANS[cell]]
    return _look(shift, scans)


def _look(shift: Shift, scans: list[Rendered]) -> Case:
    """Label the last of three scans as the segment stage does, which may refuse it."""
    case = Case(
        kind=shift.kind,
        strength=shift.strength,
        seed=shift.seed,
        distance=None,
        error=None,
        farthest=(),
        found={},
        true={},
        surroundings=None,
    )
    greys = [np.asarray(each.clean + each.grain, np.float32) for each in scans]
    references = [find_grey_references(grey) for grey in greys]
    training = read_training(DEFAULT_MODEL)
    if training is None or any(each.verdict != "resolved" for each in references):
        return case
    shown = (
        _laid("previous", 1, scans, greys, references),
        _laid("first", 0, scans, greys, references),
    )
    voxel_um = SIZES[_SIZE].voxel_um
    found, alone = (_run(greys[-1], references[-1], earlier) for earlier in (shown, ()))
    labels, _ = label_region(
        found,
        references[-1],
        voxel_um=voxel_um,
        slab_rows=32,
        half_cycle=0,
        is_first_scan=False,
    )
    true, measured = (
        np.bincount(each.ravel(), minlength=256)[list(_THIN)]
        for each in (scans[-1].classes, segments_of(labels))
    )
    described = describe_pass(greys[-1], references[-1], alone, voxel_um=voxel_um)
    far = training_distance(described, training)
    n_z, _, n_x = greys[-1].shape
    return replace(
        case,
        distance=far.distance / training.limit,
        error=float(np.abs(measured - true).sum() / true.sum()),
        farthest=far.farthest,
        found=_in_um3(measured, voxel_um),
        true=_in_um3(true, voxel_um),
        surroundings=Surroundings(
            voxel_um=voxel_um,
            area_um2=n_z * n_x * voxel_um**2,
            cnr=references[-1].cnr,
            blur_px=measure_blur(greys[-1]),
            grain=measure_grain(greys[-1]),
        ),
    )


def _in_um3(n_voxels: NDArray[np.int64], voxel_um: float) -> dict[str, float]:
    volumes = {
        f"{each.key}_volume_um3": float(n) * voxel_um**3
        for each, n in zip(_THIN, n_voxels, strict=True)
    }
    # All scans come before the first discharge; the intervals ask.
    return {**volumes, "redeposited_volume_um3": 0.0}


def _laid(
    which: str,
    at: int,
    scans: list[Rendered],
    greys: list[FloatVolume],
    references: list[GreyReferences],
) -> Earlier:
    def shifts(scan: Rendered) -> FaceShifts:
        still = np.zeros((scan.clean.shape[0], scan.clean.shape[2]), np.float32)
        return FaceShifts(stripping_px=still, plating_px=still + np.float32(scan.moved_px))

    return lay_over(
        "previous" if which == "previous" else "first",
        greys[at],
        now=shifts(scans[-1]),
        then=shifts(scans[at]),
        references=references[at],
        plating_inner_px=references[0].edges_px[2],
    )


def _run(
    grey: FloatVolume, references: GreyReferences, earlier: tuple[Earlier, ...]
) -> NetworkPass:
    voxel_um = SIZES[_SIZE].voxel_um
    choice = NetworkChoice(
        model=DEFAULT_MODEL,
        polarity="denser_is_brighter",
        engine="auto",
        precision="auto",
        n_threads=1,
    )
    network = load_for(choice, references, grey.shape, voxel_um)
    return run_network(network, grey, references, earlier, voxel_um=voxel_um, slab_rows=32)


def _report(cases: list[Case]) -> Report:
    seen = [each for each in cases if each.distance is not None and each.error is not None]
    refused = len(cases) - len(seen)
    distances = np.array([each.distance for each in seen], float)
    errors = np.array([each.error for each in seen], float)
    correlation = float(spearmanr(distances, errors).statistic)
    verdict = "reached" if correlation >= _WANTED else "not reached"
    beyond = distances > 1
    rows = [
        [
            kind,
            KINDS[kind],
            str(len(of_kind)),
            _range([each.distance for each in of_kind]),
            _range([each.error for each in of_kind]),
        ]
        for kind in KINDS
        if (of_kind := [each for each in seen if each.kind == kind])
    ]
    order = sorted(seen, key=lambda each: -(each.error or 0.0))
    worst = [
        [each.kind, f"{each.strength:.2f}", str(each.seed), f"{each.error:.2f}",
         f"{each.distance:.2f}", ", ".join(each.farthest)]
        for each in order[:15]
    ]  # fmt: skip
    return Report(
        title="How far scans lie from the training, and how wrong their volumes are",
        method=(
            f"{len(seen)} scans of {len(_SCANS)} cells that neither the network nor its "
            "description has seen, made at image level (24 slices, 2.25 um) and changed as below "
            "by a strength drawn between nothing and all of it. Labels are those of the segment "
            "stage, with the two earlier scans changed alike. Error: volumes of deposited, "
            "dendrite, pit and void that are wrong, over their true volume. Distance: in units of "
            "the limit within which 99 of 100 training scans lie. A volume is off if it is more "
            f"than {OFF:.0%} of the truth away; then its interval says so if the truth lies in "
            "it or there is none with a flag, the distance if it lies beyond the limit, the "
            "interval by its width if its own end on the side of the truth is as far, else "
            "nobody.",
            f"**Spearman's rank correlation of distance and error: {correlation:.2f}** "
            f"({_WANTED:g} wanted: {verdict}). Beyond the limit {int(beyond.sum())} scans with a "
            f"median error of {_median(errors[beyond])}, within it {int((~beyond).sum())} with "
            f"{_median(errors[~beyond])}. {refused} scans of inverted or ruined grey values are "
            "not among them: their layers are not found, and the segment stage refuses them.",
        ),
        tables=(
            Table(
                title="By what was changed",
                columns=("change", "at full strength", "scans", "distance", "error"),
                rows=rows,
            ),
            Table(
                title=f"Volumes that are off by more than {OFF:.0%}, and who says so",
                columns=(
                    *("change", "volumes", "off", "the interval says so", "the score does"),
                    *("its width alone", "nobody", "of which class"),
                ),
                rows=_told_rows(seen),
            ),
            Table(
                title="Largest errors",
                columns=("change", "strength", "cell", "error", "distance", "differs most in"),
                rows=worst,
            ),
        ),
        packages=("numpy", "scipy", "onnxruntime"),
    )


def _told_rows(seen: Sequence[Case]) -> list[list[str]]:
    rows = []
    for kind in KINDS:
        told = [
            (name.removesuffix("_volume_um3"), volume.told_by(each.distance))
            for each in seen
            if each.kind == kind
            for name, volume in each.volumes.items()
            if volume.is_there
        ]
        n = Counter(teller for _, teller in told)
        silent = Counter(name for name, teller in told if teller == "nobody")
        if told:
            rows.append(
                [
                    *(kind, str(len(told)), str(len(told) - n["near"])),
                    *(str(n[teller]) for teller in ("interval", "score", "width", "nobody")),
                    ", ".join(f"{name} {count}" for name, count in silent.items()),
                ]
            )
    return rows


def _range(values: list[float | None]) -> str:
    known = [each for each in values if each is not None]
    return f"{min(known):.2f} to {max(known):.2f}"


def _median(values: np.ndarray) -> str:
    return f"{float(np.median(values)):.2f}" if values.size else "none"

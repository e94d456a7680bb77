"""What earlier scans do to labels: errors of registration, and dendrites that are gone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from benchmarks.tables import Report, Table
from lithoscope_models.data.cells import CellDraw, drawn_cell
from lithoscope_models.data.chain import LabelledScan, chain_scans
from lithoscope_models.data.image_level import object_volume
from lithoscope_models.earlier_scans import EarlierScan, FaceShifts, lay_over
from lithoscope_models.model_file import DEFAULT_MODEL
from lithoscope_models.network_pass import NetworkChoice, load_for, run_slices
from lithoscope_models.settled import settle
from lithoscope_pipeline.labels import SegmentClass
from lithoscope_pipeline.networks import Which
from lithoscope_pipeline.phantom import SIZES

SEEDS: Final = (201, 202)
SCANS: Final = (0, 3, 4, 7, 8, 11, 12, 15, 16, 19, 20)
SCORED: Final = (4, 8, 12, 16, 20)
SLICES: Final = (40, 52)
VOXEL_UM: Final = SIZES["small"].voxel_um
CLASSES: Final = ("electrode", "deposited", "dendrite", "pit", "void")
DISTANCES_PX: Final = (0.5, 1.0, 1.5, 2.0, 3.0, np.inf)
_HARDLY_ANY: Final = 0.1  # of a voxel's lithium
Where = Literal["map", "network"]
_PLACES: Final[tuple[tuple[Where, str], ...]] = (
    ("map", "in the map"),
    ("network", "after it was settled"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """How an earlier scan lies wrong.

    Parameters
    ----------
    name
        What the table calls it.
    where
        In the map of the faces, as registration would; or after the scan was settled.
    stripping_px, plating_px
        Of each side along y; in a map also shape (n_x,).
    plane_px
        Along z and along x, whole voxels.
    """

    name: str
    where: Where = "map"
    stripping_px: float | NDArray[np.float32] = 0.0
    plating_px: float | NDArray[np.float32] = 0.0
    plane_px: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A scan with the one before and the first; which of them are shown, and if settled."""

    seed: int
    now: LabelledScan
    previous: LabelledScan
    first: LabelledScan
    shown: tuple[Which, ...] = ("previous", "first")
    is_settled: bool = True

    def segments(self, wrong: Wrong | None, slices: tuple[int, int] = SLICES) -> NDArray[np.uint8]:
        """Segment some slices; None shows no earlier scan."""
        choice = NetworkChoice(
            model=DEFAULT_MODEL,
            polarity="denser_is_brighter",
            engine="auto",
            precision="auto",
            n_threads=1,
        )
        return run_slices(
            load_for(choice, self.now.references, self.now.grey.shape, VOXEL_UM),
            self.now.grey,
            self.now.references,
            [] if wrong is None else self._settled(wrong),
            voxel_um=VOXEL_UM,
            slab_rows=32,
            slices=slices,
        ).segments

    def truth(self, scan: LabelledScan) -> NDArray[np.uint8]:
        """Give the true classes of a scan in these slices."""
        return np.asarray(scan.classes[slice(*SLICES)], np.uint8)

    def _settled(self, wrong: Wrong) -> Sequence[EarlierScan]:
        in_map = wrong if wrong.where == "map" else Wrong(name="")
        now = _shifts(self.now, in_map)
        laid = [
            lay_over(
                which,
                np.roll(scan.grey, wrong.plane_px, axis=(0, 2)),
                now=now,
                then=_shifts(scan, Wrong(name="")),
                references=scan.references,
                plating_inner_px=self.first.references.edges_px[2],
            )
            for which, scan in self._earlier()
        ]
        if not self.is_settled:
            return laid
        settled = settle(laid, self.now.grey, self.now.references, voxel_um=VOXEL_UM)
        if wrong.where == "map":
            return [each for each in settled if isinstance(each, EarlierScan)]
        return [
            each.moved_by(float(np.mean(wrong.stripping_px)), float(np.mean(wrong.plating_px)))
            for each in settled
            if isinstance(each, EarlierScan)
        ]

    def _earlier(self) -> Iterator[tuple[Which, LabelledScan]]:
        scans: dict[Which, LabelledScan] = {"previous": self.previous, "first": self.first}
        yield from ((which, scans[which]) for which in self.shown)


def _shifts(scan: LabelledScan, wrong: Wrong) -> FaceShifts:
    if scan.shifts_px is None:
        raise ValueError(f"scan {scan.scan}: an outer face was not found; take another seed")
    stripping, plating = scan.shifts_px
    return FaceShifts(
        stripping_px=np.asarray(stripping + wrong.stripping_px, np.float32),
        plating_px=np.asarray(plating + wrong.plating_px, np.float32),
    )


def measure(*, is_quick: bool) -> Report:
    """Show the default network earlier scans that lie wrong, and count what is gone."""
    cases = list(cases_of(SEEDS[:1] if is_quick else SEEDS, SCORED[-1:] if is_quick else SCORED))
    right = [case.segments(Wrong(name="")) for case in cases]
    alone = [case.segments(None) for case in cases]
    n_x = cases[0].now.grey.shape[2]
    errors = [
        replace(each, where=where, name=f"{each.name}, {told}")
        for where, told in _PLACES
        for each in (
            Wrong(name="plating +1", plating_px=1.0),
            Wrong(name="plating -1", plating_px=-1.0),
            Wrong(name="stripping +1", stripping_px=1.0),
            Wrong(name="stripping -1", stripping_px=-1.0),
        )
    ]
    tilt = np.linspace(1.0, -1.0, n_x, dtype=np.float32)
    errors += [
        Wrong(name="both +3, in the map", stripping_px=3.0, plating_px=3.0),
        Wrong(name="both from +1 to -1 along x, in the map", stripping_px=tilt, plating_px=tilt),
        Wrong(name="1 along x", plane_px=(0, 1)),
        Wrong(name="1 along z", plane_px=(1, 0)),
    ]
    rows = [_changes(cases, right, error) for error in errors]
    empty = [_lithium_share(case) < _HARDLY_ANY for case in cases]
    return _report(rows, _gone(cases, right, empty), _gone(cases, alone, empty), len(cases))


def cases_of(seeds: Sequence[int], scored: Sequence[int]) -> Iterator[Case]:
    """Make the scored scans of some cells, each with the one before and the first."""
    for seed in seeds:
        wanted = sorted({0, *scored, *(SCANS[SCANS.index(scan) - 1] for scan in scored)})
        scans = {scan.scan: scan for scan in chain_scans(CellDraw(seed=seed), wanted)}
        for scan in scored:
            before = SCANS[SCANS.index(scan) - 1]
            yield Case(seed=seed, now=scans[scan], previous=scans[before], first=scans[0])


def _volumes(found: Sequence[NDArray[np.uint8]]) -> NDArray[np.int64]:
    counts = [np.bincount(each.ravel(), minlength=len(SegmentClass)) for each in found]
    return np.asarray(np.sum(counts, axis=0), np.int64)


def _changes(cases: Sequence[Case], right: Sequence[NDArray[np.uint8]], error: Wrong) -> list[str]:
    """Give a row: by how much each class changes, percent."""
    before = _volumes(right)
    after = _volumes([case.segments(error) for case in cases])
    places = [SegmentClass[name.upper()] for name in CLASSES]
    print(error.name, after / before - 1, flush=True)
    return [error.name, *(f"{100 * (after[at] / before[at] - 1):+.1f}" for at in places)]


def _lithium_share(case: Case) -> NDArray[np.float32]:
    """Give the share of lithium in each voxel: of its attenuation before anything blurs it."""
    roi = case.now.roi
    part = replace(roi, z0=roi.z0 + SLICES[0], z1=roi.z0 + SLICES[1])
    attenuation = object_volume(drawn_cell(CellDraw(seed=case.seed)), case.now.scan, part).real
    truth = case.truth(case.now)
    lithium, electrolyte = (
        np.median(attenuation[truth == each])
        for each in (SegmentClass.ELECTRODE, SegmentClass.ELECTROLYTE)
    )
    return np.asarray((electrolyte - attenuation) / (electrolyte - lithium), np.float32)


def _gone(
    cases: Sequence[Case],
    found: Sequence[NDArray[np.uint8]],
    empty: Sequence[NDArray[np.bool_]],
) -> NDArray[np.int64]:
    """Count what was dendrite and is electrolyte, and what of it is labelled, by distance.

    The last columns are electrolyte that touches a dendrite and was none before, and what was
    dendrite and has hardly any lithium left, wherever it lies.
    """
    counts = np.zeros((2, len(DISTANCES_PX) + 1), np.int64)
    for case, segments, is_empty in zip(cases, found, empty, strict=True):
        now, was = case.truth(case.now), case.truth(case.previous) == SegmentClass.DENDRITE
        if case.now.scan == SCORED[0]:
            continue  # charging: hardly any has gone
        gap_px = distance_transform_edt(case.now.classes != SegmentClass.DENDRITE)[slice(*SLICES)]
        is_free = now == SegmentClass.ELECTROLYTE
        is_still = segments == SegmentClass.DENDRITE
        for at, (low, high) in enumerate(pairwise(DISTANCES_PX)):
            here = was & is_free & (gap_px > low) & (gap_px <= high)
            counts[:, at] += here.sum(), (here & is_still).sum()
        skin = ~was & is_free & (gap_px <= 1.0)
        counts[:, -2] += skin.sum(), (skin & is_still).sum()
        whole = was & is_free & is_empty
        counts[:, -1] += whole.sum(), (whole & is_still).sum()
    return counts


def _report(
    rows: Sequence[Sequence[str]],
    beside: NDArray[np.int64],
    alone: NDArray[np.int64],
    n_scans: int,
) -> Report:
    names = ("touch one", "1 to 1.5 voxels", "1.5 to 2", "2 to 3", "farther")
    places = [*names, "never one, touches one", "anywhere, hardly any lithium left"]
    gone = [
        [name, str(beside[0, at]), f"{_share(beside, at):.1%}", f"{_share(alone, at):.1%}"]
        for at, name in enumerate(places)
    ]
    apart, vanished = (
        beside[1, part].sum() / max(int(beside[0, part].sum()), 1)
        for part in (slice(1, len(names)), slice(0, len(names)))
    )
    return Report(
        title="Earlier scans: errors of registration, and dendrites that are gone",
        method=(
            f"The default network on {n_scans} scans of simulated cells that it was not trained "
            f"on (seeds {', '.join(map(str, SEEDS))}, size `small`, true drift, measured maps of "
            f"the faces), slices {SLICES[0]} to {SLICES[1] - 1}. Change of the volume of each "
            "class where the earlier scans lie wrong; electrolyte beside dendrites, by how far it "
            "lies from a dendrite that is there.",
            f"**Of dendrite voxels that vanished and hold less than {_HARDLY_ANY:.0%} lithium now "
            f"{_share(beside, -1):.1%} are still labelled (5 % allowed); of those that touch no "
            f"dendrite that is there {apart:.1%}; of all whose middle is electrolyte now, "
            f"those that are half full among them, {vanished:.1%}.**",
        ),
        tables=(
            Table(title="Change of volumes, %", columns=("error", *CLASSES), rows=rows),
            Table(
                title="Electrolyte that was dendrite, by its distance from one that is there",
                columns=("where", "voxels", "labelled dendrite", "without earlier scans"),
                rows=gone,
            ),
        ),
    )


def _share(counts: NDArray[np.int64], at: int) -> float:
    return float(counts[1, at]) / max(int(counts[0, at]), 1)

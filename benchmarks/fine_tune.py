"""Seven painted slices of a material that the network has not seen, against all of its truth."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Final, Literal

import numpy as np

from benchmarks.out_of_distribution import MODELS
from benchmarks.shifted_scans import Rendered, Shift, Source, render, shifted
from benchmarks.tables import Report, Table
from lithoscope_models.data.painted import PaintedScan, PaintedSlice, write_painted
from lithoscope_models.fine_tune.report import Findings
from lithoscope_models.fine_tune.run import PAINTED, FineTuning, fine_tune
from lithoscope_models.model_file import DEFAULT_MODEL, load_card
from lithoscope_models.train.machine import Machine
from lithoscope_pipeline.geometry import LabelVolume
from lithoscope_pipeline.phantom import SIZES
from lithoscope_pipeline.scribbles import ScriptedUser, draw_strokes
from lithoscope_pipeline.segment import find_grey_references

SOURCE: Final = Source(seed=900, family="soft_contrast", n_z=40)
SCANS: Final = (0, 6, 8, 10, 12)
#: Slices of each painted scan: seven in all.
PAINT: Final = {8: (3, 15, 26), 10: (9, 21), 12: (6, 18)}
HELD_OUT: Final = range(30, 40, 2)
_LAST: Final = 28  # of the rows that all the truth is learned from
_NOISE: Final = 0.45
_SHIFTS: Final = (
    Shift(kind="coarse", strength=0.6, seed=1),
    Shift(kind="deposit", strength=0.85, seed=1),
)
_COVERAGE: Final = 0.25
_USER: Final = ScriptedUser(seed=3, thickness_px=4)
_STEPS: Final = 250
_RISE: Final = 0.15
_NEAR: Final = 0.05
_WANTED: Final = ("deposited", "dendrite")
Labels = Literal["strokes", "truth"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one fine-tuning has found, and how long it took by the clock, s."""

    found: Findings
    wall_s: float


def measure(*, is_quick: bool) -> Report:
    """Fine-tune on strokes, and on all the truth, with as many steps."""
    steps = 20 if is_quick else _STEPS
    scans = {scan: _seen(render(SOURCE, scan, MODELS)) for scan in SCANS}
    strokes, truth = (_trial(scans, labels, steps) for labels in ("strokes", "truth"))
    return _report(strokes, truth, steps)


def _seen(scan: Rendered) -> Rendered:
    for shift in _SHIFTS:
        scan = shifted(scan, shift)
    return scan


def _trial(scans: dict[int, Rendered], labels: Labels, steps: int) -> Trial:
    out = Path(mkdtemp(prefix="lithoscope-fine-tune-"))
    began_s = time.monotonic()
    try:
        held_out = [PaintedSlice(scan=scan, z=z) for scan in PAINT for z in HELD_OUT]
        write_painted(
            out / PAINTED,
            [_painted(number, scan, labels) for number, scan in scans.items()],
            voxel_um=SIZES["small"].voxel_um,
            halo=load_card(DEFAULT_MODEL).inputs.inputs.halo,
            held_out=held_out,
        )
        asked = FineTuning(
            start=DEFAULT_MODEL,
            name=f"by-{labels}",
            experiment="other-material",
            n_steps=steps,
            seed=7,
            least_iou=0.5,
            command="python -m benchmarks fine_tune",
        )
        found = fine_tune(asked, out, tell=print, machine=Machine())
    finally:
        shutil.rmtree(out)
    print(labels, found.before.iou, found.after.iou, f"{found.cpu_s:.0f} s", flush=True)
    return Trial(found=found, wall_s=time.monotonic() - began_s)


def _painted(number: int, scan: Rendered, labels: Labels) -> PaintedScan:
    grey = np.asarray(scan.clean + np.float32(_NOISE) * scan.grain, np.float32)
    shifts_px = np.zeros((2, grey.shape[0], grey.shape[2]), np.float32)
    shifts_px[1] = scan.moved_px
    painted: dict[int, LabelVolume] = {}
    if number in PAINT:
        painted = {z: scan.classes[z] for z in HELD_OUT}
        for z in PAINT[number] if labels == "strokes" else range(_LAST):
            whole = scan.classes[z]
            is_strokes = labels == "strokes"
            painted[z] = draw_strokes(whole, _USER, coverage=_COVERAGE) if is_strokes else whole
    return PaintedScan(
        scan=number,
        grey=grey,
        references=find_grey_references(grey),
        shifts_px=shifts_px,
        painted=painted,
    )


def _report(strokes: Trial, truth: Trial, steps: int) -> Report:
    before, after = strokes.found.before.iou, strokes.found.after.iou
    full = truth.found.after.iou
    rows = [
        [name, f"{before[name]:.3f}", f"{after[name]:.3f}", f"{full.get(name, float('nan')):.3f}"]
        for name in after
    ]
    alone = _alone(strokes, truth)
    says = [
        f"{name}: rises by {after[name] - before[name]:.2f} ({_RISE:g} wanted), "
        f"{full[name] - after[name]:+.2f} to all the truth ({_NEAR:g} wanted)"
        for name in _WANTED
    ]
    return Report(
        title="Fine-tuning on seven painted slices",
        method=(
            "A simulated cell at 36 keV whose plated lithium holds electrolyte in its pores (60 % "
            "of the contrast), with noise smoothed by 0.9 voxels: no such cell was trained on. "
            f"Scripted strokes of one person ({_USER.thickness_px:g} voxels wide, faces seen 0.5 "
            f"voxels off) over {_COVERAGE:.0%} of seven slices of three scans, shown with their "
            "earlier scans; "
            f"{steps} steps from the default network. Against it the same steps on all the truth "
            f"of {len(PAINT) * _LAST} slices. IoU with the truth of {len(PAINT) * len(HELD_OUT)} "
            "slices of another part of the cell.",
            f"**{'; '.join(says)}.**",
            f"Processor time {strokes.found.cpu_s / 60:.1f} minutes of one thread, report "
            f"included ({strokes.wall_s / 60:.1f} by the clock of a machine that did much else); "
            f"on all the truth {truth.found.cpu_s / 60:.1f}.",
        ),
        tables=(
            Table(
                title="With earlier scans",
                columns=("class", "default network", "seven slices", "all the truth"),
                rows=rows,
            ),
            *alone,
        ),
        packages=("torch", "monai", "lightning"),
    )


def _alone(strokes: Trial, truth: Trial) -> tuple[Table, ...]:
    parts = (
        strokes.found.before_alone,
        strokes.found.after_alone,
        truth.found.after_alone,
    )
    scores = [each.iou for each in parts if each is not None]
    if len(scores) < len(parts):
        return ()
    rows = [
        [name, *(f"{each.get(name, float('nan')):.3f}" for each in scores)] for name in scores[1]
    ]
    return (
        Table(
            title="Earlier scans withheld",
            columns=("class", "default network", "seven slices", "all the truth"),
            rows=rows,
        ),
    )

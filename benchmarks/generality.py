"""Volumes under shifted simulators, through the whole chain: which are off, and who says so.

``python -m benchmarks.generality DIR`` looks at the scans that ``benchmarks.interval_chain DIR``
has made and keeps how far each lies from the training, two seconds of a core each; ``python -m
benchmarks generality`` writes the table.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.interval_chain import stored
from benchmarks.tables import Report, Table
from benchmarks.told_errors import OFF, Surroundings, Teller, Volume, volumes_of
from lithoscope_models.calibration.images import read_images
from lithoscope_models.calibration.residuals import ExperimentResiduals
from lithoscope_models.errors import TrainingDataError
from lithoscope_models.model_file import DEFAULT_MODEL, model_sha256
from lithoscope_models.training_scans import describe_pass, label_alone, read_training
from lithoscope_pipeline.distribution import training_distance

STORED: Final = Path(__file__).parent / "results" / "generality.json"
#: What sets each simulator apart from the one that the network has learned most from.
SIMULATORS: Final = {
    "growth rule": ("mossy", "filaments"),
    "contrast and blur": ("soft_contrast", "blurred"),
    "noise spectrum": ("coarse_noise",),
    "none: the reference": ("default",),
}
CLASSES: Final = (
    *("stripping_electrode", "plating_electrode", "deposited", "redeposited"),
    *("dendrite", "pit", "void"),
)
_N_SLICES: Final = 24  # in the middle of each scan: what the distance is found from
_MARKS: Final[dict[Teller, str]] = {
    "near": "",
    "interval": " i",
    "score": " s",
    "width": " w",
    "nobody": " **!**",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A volume with where it comes from.

    Parameters
    ----------
    experiment, family, pulse, class_key
        Which volume.
    volume
        What was found, with its interval.
    distance
        Of its scan from the training, in units of the limit; None if it was not measured.
    """

    experiment: str
    family: str
    pulse: int
    class_key: str
    volume: Volume
    distance: float | None

    @property
    def teller(self) -> Teller:
        """Who says that it is off."""
        return self.volume.told_by(self.distance)


def measure(*, is_quick: bool) -> Report:
    """Judge the experiments that are stored."""
    del is_quick
    distances = _stored_distances()
    experiments = stored()
    seen = [each for one in experiments for each in _of_experiment(one, distances)]
    missed = [each for each in seen if each.teller in ("width", "nobody")]
    n = Counter(each.teller for each in seen)
    far = sum(each is not None and each > 1 for ds in distances.values() for each in ds)
    return Report(
        title="Volumes under shifted simulators",
        method=(
            f"{len(experiments)} experiments through the whole chain (those of "
            "[interval_chain](interval_chain.md): real noise, reconstruction, measured faces), "
            "scans after 0, 4, 8, 12 and 20 pulses, labelled by the default network with the "
            f"earlier scans beside. A volume is off if it is more than {OFF:.0%} of the truth "
            "away. Then the interval says so if the truth lies in it or there is none with a "
            "flag, the score if the scan lies beyond the limit of the distance from the training "
            f"(found from {_N_SLICES} slices in the middle). An interval that misses the truth "
            f"still says so if its own end on that side is more than {OFF:.0%} away; else nobody "
            "does.",
            f"**{len(seen)} volumes, {sum(each.volume.is_off for each in seen)} off: of "
            f"{n['nobody']} nobody says so, of {n['width']} the interval does by its width "
            "alone.** Intervals hold in 95 of 100 cases by their "
            "making, and were calibrated on other cells of all six simulators; the network "
            "has learned from the reference and, at image level, from five cells of the other "
            f"growth rules and two half as blurred. {far} of "
            f"{sum(map(len, distances.values()))} scans lie beyond the limit: these "
            "simulators are near its training, and the intervals have to say it.",
        ),
        tables=(_summary(seen), _missed(missed), _values(seen)),
        packages=("numpy", "scipy", "onnxruntime"),
    )


def _of_experiment(
    one: ExperimentResiduals, distances: dict[str, list[float | None]]
) -> Iterator[Seen]:
    far = distances.get(one.name, [None] * len(one.pulses))
    for at, pulse in enumerate(one.pulses):
        metrics = {f"{key}_volume_um3": key for key in CLASSES}
        found = {name: one.metrics[name].measured[at] for name in metrics}
        true = {name: one.metrics[name].truth[at] for name in metrics}
        known = [name for name in metrics if found[name] is not None and true[name] is not None]
        volumes = volumes_of(
            {name: found[name] or 0.0 for name in known},
            {name: true[name] or 0.0 for name in known},
            Surroundings(
                voxel_um=one.voxel_um,
                area_um2=one.area_um2,
                cnr=one.cnr[at],
                blur_px=one.blur_px[at],
                grain=one.grain[at],
            ),
        )
        for name, volume in volumes.items():
            if volume.is_there:
                yield Seen(
                    experiment=one.name.removeprefix("chain-").rsplit("-", 1)[0],
                    family=one.family,
                    pulse=pulse,
                    class_key=metrics[name],
                    volume=volume,
                    distance=far[at],
                )


def _summary(seen: Sequence[Seen]) -> Table:
    rows = []
    for what, families in SIMULATORS.items():
        for key in CLASSES:
            of_class = [s for s in seen if s.family in families and s.class_key == key]
            n = Counter(each.teller for each in of_class)
            if of_class:
                rows.append(
                    [
                        f"{what} ({', '.join(families)})",
                        key,
                        *map(str, (len(of_class), n["near"], n["interval"], n["score"])),
                        *map(str, (n["width"], n["nobody"])),
                    ]
                )
    return Table(
        title="By simulator and class",
        columns=(
            *("differs in", "class", "volumes", f"within {OFF:.0%}", "off: the interval holds it"),
            *("the score says so", "the width alone", "nobody"),
        ),
        rows=rows,
    )


def _missed(missed: Sequence[Seen]) -> Table:
    rows = [
        [
            each.experiment,
            str(each.pulse),
            each.class_key,
            f"{each.volume.measured_um3 / 1e3:.1f} / {each.volume.true_um3 / 1e3:.1f}",
            f"{(each.volume.low_um3 or 0) / 1e3:.1f} to {(each.volume.high_um3 or 0) / 1e3:.1f}",
            "" if each.distance is None else f"{each.distance:.2f}",
            "its width" if each.teller == "width" else "nobody",
        ]
        for each in missed
    ]
    return Table(
        title="Off, told by neither an interval that holds the truth nor the score",
        columns=(
            *("experiment", "pulses", "class", "10³ µm³, measured / true", "interval"),
            *("distance over its limit", "who says so"),
        ),
        rows=rows,
    )


def _values(seen: Sequence[Seen]) -> Table:
    rows = []
    for name in dict.fromkeys(each.experiment for each in seen):
        for key in CLASSES:
            of_class = [s for s in seen if s.experiment == name and s.class_key == key]
            by_pulse = {each.pulse: each for each in of_class}
            if of_class:
                rows.append([name, key, *(_told(by_pulse.get(p)) for p in (0, 4, 8, 12, 20))])
    return Table(
        title=f"Measured over true; off by more than {OFF:.0%}: i the interval says so, s the "
        "score, w the width of the interval alone, ! nobody",
        columns=("experiment", "class", *(f"{n} pulses" for n in (0, 4, 8, 12, 20))),
        rows=rows,
    )


def _told(seen: Seen | None) -> str:
    if seen is None:
        return ""
    volume = seen.volume
    if not volume.true_um3:
        return f"{volume.measured_um3 / 1e3:.1f} · 10³ of 0{_MARKS[seen.teller]}"
    return f"{volume.measured_um3 / volume.true_um3:.2f}{_MARKS[seen.teller]}"


def _key() -> str:
    training = read_training(DEFAULT_MODEL)
    if training is None:
        raise TrainingDataError("run lithoscope model describe first")
    return f"{model_sha256(DEFAULT_MODEL)}-{training.limit:.6f}"


def _stored_distances() -> dict[str, list[float | None]]:
    told = json.loads(STORED.read_text()) if STORED.is_file() else {}
    distances: dict[str, list[float | None]] = told.get("distances", {})
    return distances if told.get("key") == _key() else {}


def look(folder: Path) -> list[float]:
    """Say how far the scans of an experiment lie from the training, in units of the limit."""
    training = read_training(DEFAULT_MODEL)
    if training is None:
        raise TrainingDataError("run lithoscope model describe first")
    scans = read_images(folder)
    first = (scans.grey.shape[1] - _N_SLICES) // 2
    found = []
    for volume in scans.grey:
        grey = np.asarray(volume[first : first + _N_SLICES], np.float32)
        references, alone = label_alone(DEFAULT_MODEL, grey, scans.voxel_um)
        described = describe_pass(grey, references, alone, voxel_um=scans.voxel_um)
        found.append(training_distance(described, training).distance / training.limit)
    return found


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generality")
    parser.add_argument("work", type=Path, metavar="DIR", help="of interval_chain")
    work = parser.parse_args().work
    distances = _stored_distances()
    for one in stored():
        if one.name in distances:
            continue
        distances[one.name] = [round(each, 3) for each in look(work / one.name)]
        STORED.write_text(json.dumps({"key": _key(), "distances": distances}) + "\n")
        print(one.name, *distances[one.name], flush=True)


if __name__ == "__main__":
    _main()

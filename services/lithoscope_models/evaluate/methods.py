"""Methods that label slices, networks among them, behind one small Protocol."""

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.data.files import StoredScan
from lithoscope_models.data.slices import Error, sample_at
from lithoscope_models.earlier_scans import FaceShifts, lay_over
from lithoscope_models.engines import EngineRequest, choose_engine
from lithoscope_models.evaluate.cases import Case
from lithoscope_models.model_file import Model
from lithoscope_models.settled import find_moves
from lithoscope_pipeline.geometry import LabelVolume
from lithoscope_pipeline.inference import InferenceParameters, infer_slab, plan_tiles
from lithoscope_pipeline.networks import Which

_LARGEST = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """What a method made of a case.

    Parameters
    ----------
    segments
        `SegmentClass`, shape (n_slices, n_y, n_x).
    best
        Probability of that class in 255ths, same shape; None for methods without.
    seconds
        Time of the method itself for each slice.
    """

    segments: LabelVolume
    best: NDArray[np.uint8] | None
    seconds: tuple[float, ...]


class Method(Protocol):
    """Something that labels slices."""

    @property
    def name(self) -> str:
        """What it is called in the table."""

    @property
    def n_parameters(self) -> int | None:
        """Trained numbers, None where there are none."""

    @property
    def note(self) -> str:
        """What a reader must know of the row."""

    def label(self, case: Case) -> Labelled:
        """Label the slices of a case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkMethod:
    """A trained network.

    Parameters
    ----------
    model
        The network.
    has_earlier
        Whether it is shown earlier scans.
    n_threads
        Of its engine.
    note
        Of its row.
    """

    model: Model
    has_earlier: bool
    n_threads: int = 1
    note: str = ""

    @property
    def name(self) -> str:
        """Name of the card, and what it was not shown."""
        withheld = bool(self.model.card.inputs.inputs.earlier) and not self.has_earlier
        return f"{self.model.card.name}{', earlier scans withheld' if withheld else ''}"

    @property
    def n_parameters(self) -> int | None:
        """Of the card."""
        return self.model.card.n_parameters

    def label(self, case: Case) -> Labelled:
        """Run it slice by slice, in tiles and beside settled earlier scans as the stage does."""
        card = self.model.card
        inputs = card.inputs.inputs
        rows = case.shown_rows(inputs)
        beyond = case.rows.start - rows.start
        plan = plan_tiles(
            (rows.stop - rows.start, case.truth.shape[2]),
            largest=card.tile_px,
            divisor=card.divisor,
            is_fixed=card.is_fixed_size,
        )
        request = EngineRequest(patch=(inputs.n_channels, *plan.tile), n_threads=self.n_threads)
        engine = choose_engine(self.model, request).engine
        parameters = InferenceParameters(
            plan=plan,
            batch=engine.batch,
            n_classes=len(card.classes),
            temperature=card.temperature,
            with_probabilities=True,
        )
        shown = _settled(case) if inputs.earlier and self.has_earlier else {}
        segments, best, seconds = [], [], []
        for at in case.slices:
            x = sample_at(
                case.experiment,
                case.index,
                at,
                inputs,
                previous=case.index - 1 if "previous" in shown else None,
                first=0 if "first" in shown else None,
                errors=(shown.get("previous", Error()), shown.get("first", Error())),
                box=(rows, slice(None)),
            ).x
            begin = time.perf_counter()
            found = infer_slab(x[None], engine.run, parameters)
            seconds.append(time.perf_counter() - begin)
            segments.append(found.labels[0, beyond:])
            if found.probabilities is not None:
                best.append(found.probabilities[0, :, beyond:].max(axis=0))
        return Labelled(
            segments=np.stack(segments),
            best=np.stack(best) if best else None,
            seconds=tuple(seconds),
        )


def _settled(case: Case) -> dict[Which, Error]:
    """Say how earlier scans are moved before they are shown; those not named are not shown."""
    scans = case.experiment.scans
    now, pristine = scans[case.index], scans[0]
    pairs: tuple[tuple[Which, StoredScan], ...]
    pairs = (("previous", scans[case.index - 1]), ("first", pristine)) if case.index else ()
    laid = [
        lay_over(
            which,
            np.asarray(then.grey, np.float32),
            now=FaceShifts(stripping_px=now.shifts_px[0], plating_px=now.shifts_px[1]),
            then=FaceShifts(stripping_px=then.shifts_px[0], plating_px=then.shifts_px[1]),
            references=then.references,
            plating_inner_px=pristine.references.edges_px[2],
        )
        for which, then in pairs
        if now.shifts_px is not None and then.shifts_px is not None
    ]
    grey = np.asarray(now.grey, np.float32)
    moves = find_moves(laid, grey, now.references, voxel_um=case.experiment.voxel_um)
    return {which: Error(stripping_px=a, plating_px=b) for which, (a, b) in moves.items()}

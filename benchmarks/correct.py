"""Counts to line integrals: what each step costs, and what it does to the simulated cell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from benchmarks.tables import Report, Table
from benchmarks.timing import interleave, one_core, processor_s
from lithoscope_pipeline.correct import Correction, FlatSet, RingMethod, correct, remove_rings
from lithoscope_pipeline.geometry import FloatStack, FloatVolume, Roi, field_axis_px
from lithoscope_pipeline.labels import LITHIUM, Label
from lithoscope_pipeline.phantom import (
    SIZES,
    BeamParameters,
    DetectorParameters,
    ResponseParameters,
    make_cell,
)
from lithoscope_pipeline.phantom.frames import make_frames
from lithoscope_pipeline.phase_retrieval import PaganinFilter, retrieve_phase
from lithoscope_pipeline.reconstruct import FourierBackend

PAGANIN = PaganinFilter(distance_mm=60.0, energy_keV=27.5, voxel_um=1.33)
METHODS: tuple[RingMethod, ...] = get_args(RingMethod)
N_ROWS = 6
INNER = slice(2, 4)
IDEAL = replace(
    SIZES["small"],
    n_rows=N_ROWS,
    photons=1e9,
    open_beam_level=20_000.0,
    read_noise=0.0,
    beam=BeamParameters(shift_px=0.0, shift_within_px=0.0, decay=0.0, change=0.0, flicker=0.0),
    response=ResponseParameters(psf_fwhm_px=0.0, gain_error=0.0, dead_pixel_share=0.0),
)
WRONG_GAINS = replace(
    IDEAL, response=replace(IDEAL.response, gain_error=2e-3, bad_pixel_share=0.02)
)
USUAL = replace(SIZES["small"], n_rows=N_ROWS)


def measure(*, is_quick: bool) -> Report:
    """Time the steps, and look at what they change."""
    with one_core():
        steps = _steps(n_angles=60 if is_quick else 750, n_rows=8 if is_quick else 16, repeats=3)
    return Report(
        title="Counts to line integrals, on one core",
        method=(
            "Nanoseconds of processor for a pixel of all projections, one thread: medians of "
            "interleaved rounds. NumPy does the first in whole-array steps, without dead pixels "
            "and without looking for NaN; 2-D transforms are the same phase filter, on borders "
            "mirrored over four of its lengths. Reconstruction is FourierBackend on the same "
            "slab; a slab that is phase retrieved needs a halo, whose rows cost as much.",
            "Effects are those of 6 rows of the pristine cell at size small, phase retrieved. "
            "Contrast is that of electrolyte over lithium. Change: standard deviation of what a "
            "method changes in a scan without any fault. Ring energy: mean square, over the "
            "radius, of the mean around the middle less its moving average.",
        ),
        tables=(steps, _effects(seeds=(1,) if is_quick else (1, 2, 3))),
        packages=("lithoscope", "numba", "scipy", "algotom", "PyWavelets"),
    )


def _steps(*, n_angles: int, n_rows: int, repeats: int) -> Table:
    counts = _Counts.make(n_angles, n_rows, 2560)
    attenuation = counts.corrected()
    n_pixels = attenuation.size
    thetas_rad = np.arange(n_angles) * (np.pi / n_angles)

    def reconstruct() -> FloatVolume:
        return FourierBackend().reconstruct(
            attenuation, thetas_rad, rotation_axis_px=1279.5, voxel_um=1.33
        )

    works: dict[str, Callable[[], object]] = {
        "dark, flat, dead pixels, log": counts.corrected,
        "the same, flats interpolated, direct hits": counts.corrected_with_all,
        "the same by NumPy": counts.by_numpy,
        "phase retrieval": partial(retrieve_phase, attenuation, PAGANIN),
        "the same by 2-D transforms": partial(_phase_by_transforms, attenuation),
        **{
            f"rings: {method}": partial(remove_rings, attenuation, method=method)
            for method in METHODS
            if method != "none"
        },
        "rings: sorting by algotom (4 rows)": partial(_algotom_sorting, attenuation[:, :4]),
        "reconstruction": reconstruct,
    }
    per_pixel = dict.fromkeys(works, n_pixels)
    per_pixel["rings: sorting by algotom (4 rows)"] = n_pixels // n_rows * 4
    timings = interleave(
        {name: partial(processor_s, work) for name, work in works.items()}, repeats=repeats
    )
    whole_s = timings.median_s("reconstruction")
    return Table(
        title=f"{n_angles} projections of {n_rows} rows of 2560 columns, {repeats} rounds",
        columns=("step", "ns a pixel", "of the reconstruction"),
        rows=[
            (
                name,
                f"{1e9 * timings.median_s(name) / per_pixel[name]:.2f}",
                f"{100 * timings.median_s(name) / whole_s * n_pixels / per_pixel[name]:.0f} %",
            )
            for name in works
        ],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counts:
    projections: NDArray[np.uint16]
    flats: NDArray[np.uint16]
    darks: NDArray[np.uint16]

    @classmethod
    def make(cls, n_angles: int, n_rows: int, n_columns: int) -> "_Counts":
        rng = np.random.default_rng(1)
        shape = n_rows, n_columns
        return cls(
            projections=rng.integers(15_000, 45_000, (n_angles, *shape), dtype=np.uint16),
            flats=rng.integers(40_000, 45_000, (10, *shape), dtype=np.uint16),
            darks=rng.integers(95, 105, (5, *shape), dtype=np.uint16),
        )

    def corrected(self) -> FloatStack:
        return correct(self.projections, self.flats, self.darks)

    def corrected_with_all(self) -> FloatStack:
        flats = [
            FlatSet(frames=self.flats, position=place) for place in (0, len(self.projections))
        ]
        correction = Correction(flats="interpolate", zinger_threshold=0.5)
        return correct(self.projections, flats, self.darks, correction=correction)

    def by_numpy(self) -> FloatStack:
        dark = self.darks.mean(axis=0, dtype=np.float32)
        scale = 1.0 / (self.flats.mean(axis=0, dtype=np.float32) - dark)
        out = self.projections.astype(np.float32)
        out -= dark
        out *= scale
        np.maximum(out, np.float32(1e-4), out=out)
        np.log(out, out=out)
        return np.negative(out, out=out)


def _phase_by_transforms(attenuation: FloatStack) -> FloatStack:
    pad = PAGANIN.reach_px
    shape = [fft.next_fast_len(n + 2 * pad, real=True) for n in attenuation.shape[1:]]
    square = fft.fftfreq(shape[0])[:, None] ** 2 + fft.rfftfreq(shape[1]) ** 2
    response = (1.0 / (1.0 + (2.0 * np.pi * PAGANIN.length_px) ** 2 * square)).astype(np.float32)
    padding = [(pad, size - n - pad) for size, n in zip(shape, attenuation.shape[1:], strict=True)]
    out = np.empty_like(attenuation)
    for angle, image in enumerate(attenuation):
        # In two steps: a slab may have fewer rows than are mirrored.
        spectrum = fft.rfft2(np.pad(image, padding, mode="symmetric"), workers=1) * response
        smooth = fft.irfft2(spectrum, s=shape, workers=1)
        out[angle] = smooth[pad : pad + image.shape[0], pad : pad + image.shape[1]]
    return out


def _algotom_sorting(attenuation: FloatStack) -> None:
    from algotom.prep.removal import remove_stripe_based_sorting

    for row in range(attenuation.shape[1]):
        remove_stripe_based_sorting(attenuation[:, row].copy(), size=21, dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scan:
    """The pristine cell, what it is made of, and its slices without any fault."""

    seed: int
    attenuation: FloatStack
    thetas_deg: NDArray[np.floating]
    axis_px: float
    paganin: PaganinFilter
    is_lithium: NDArray[np.bool_]
    is_electrolyte: NDArray[np.bool_]

    @classmethod
    def make(cls, seed: int) -> "_Scan":
        cell = make_cell("small", seed=seed, n_scans=3, detector=IDEAL)
        n = IDEAL.n_columns
        labels = cell.labels(0, Roi(z0=3, z1=4, y0=0, y1=n, x0=0, x1=n))[0]
        y, x = np.indices(labels.shape) - field_axis_px(n)
        is_seen = np.hypot(y, x) < 0.88 * n / 2

        def inside(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
            return np.asarray(is_seen & ndimage.binary_erosion(mask, iterations=4))

        return cls(
            seed=seed,
            attenuation=cell.line_integrals(0, n_rows=N_ROWS, n_threads=1),
            thetas_deg=cell.thetas_deg,
            axis_px=cell.rotation_axis_px,
            paganin=PaganinFilter(
                distance_mm=cell.cell.optics.distance_mm,
                energy_keV=cell.cell.optics.energy_keV,
                voxel_um=cell.voxel_um,
            ),
            is_lithium=inside(np.isin(labels, LITHIUM)),
            is_electrolyte=inside(labels == Label.ELECTROLYTE),
        )

    def seen_by(self, detector: DetectorParameters, *, has_noise: bool) -> FloatStack:
        frames = make_frames(
            detector,
            self.attenuation,
            self.thetas_deg,
            seed=self.seed,
            scan=0,
            has_noise=has_noise,
        )
        return correct(np.stack(list(frames.projections)), frames.flats, frames.darks)

    def slices(self, attenuation: FloatStack) -> FloatVolume:
        return FourierBackend().reconstruct(
            retrieve_phase(attenuation, self.paganin)[:, INNER],
            np.deg2rad(self.thetas_deg),
            rotation_axis_px=self.axis_px,
            voxel_um=IDEAL.voxel_um,
        )

    def contrast(self, slices: FloatVolume) -> float:
        return float(slices[:, self.is_electrolyte].mean() - slices[:, self.is_lithium].mean())

    def contrast_to_noise(self, slices: FloatVolume) -> float:
        return self.contrast(slices) / float(slices[:, self.is_electrolyte].std())


def _effects(*, seeds: tuple[int, ...]) -> Table:
    found = [_effects_on(_Scan.make(seed)) for seed in seeds]
    rows = []
    for method in METHODS:
        values = np.array([each[method] for each in found]).mean(axis=0)
        change, gains, noisy, ratio = values
        rows.append(
            (method, f"{100 * change:.2f} %", f"{gains:.0f}", f"{noisy:.1f}", f"{ratio:.2f}")
        )
    return Table(
        title=f"Ring removal, means of {len(seeds)} cells",
        columns=(
            "method",
            "change of a faultless scan, of the contrast",
            "ring energy of wrong gains, times less",
            "ring energy of noisy flats, times less",
            "contrast to noise of a usual scan",
        ),
        rows=rows,
    )


def _effects_on(scan: _Scan) -> Mapping[RingMethod, tuple[float, float, float, float]]:
    """Change of a clean scan, ring energies by which two faulty ones improve, and CNR."""
    truth = scan.slices(scan.attenuation)
    wrong = scan.seen_by(WRONG_GAINS, has_noise=False)
    usual = scan.seen_by(USUAL, has_noise=True)
    before = [_ring_energy(scan.slices(each) - truth) for each in (wrong, usual)]
    known = scan.is_electrolyte | scan.is_lithium
    effects: dict[RingMethod, tuple[float, float, float, float]] = {}
    for method in METHODS:
        clean, of_wrong, of_usual = (
            scan.slices(remove_rings(each, method=method))
            for each in (scan.attenuation, wrong, usual)
        )
        effects[method] = (
            float((clean - truth)[:, known].std()) / scan.contrast(truth),
            before[0] / _ring_energy(of_wrong - truth),
            before[1] / _ring_energy(of_usual - truth),
            scan.contrast_to_noise(of_usual),
        )
    return effects


def _ring_energy(difference: FloatVolume) -> float:
    y, x = np.indices(difference.shape[1:]) - field_axis_px(difference.shape[2])
    radius = np.hypot(y, x).astype(int).ravel()
    energies = []
    for image in difference:
        profile = np.bincount(radius, image.ravel()) / np.bincount(radius)
        fine = profile - ndimage.uniform_filter1d(profile, 15)
        energies.append(float((fine[3:165] ** 2).mean()))
    return float(np.mean(energies))

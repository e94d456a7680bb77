"""Other programs behind one signature: attenuation (angle, row, column) to slices (z, y, x).

All count the rows of a slice against our y, so their slices are turned over. The last projection,
at 180 degrees, is a mirror of the first: only who needs it takes it.
"""

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from lithoscope_pipeline.geometry import Angles, FloatStack, FloatVolume

Program = Callable[[FloatStack], FloatVolume]


def skimage_iradon(thetas_rad: Angles) -> Program:
    """Filtered back-projection by NumPy's interpolation."""
    from skimage.transform import iradon

    thetas_deg = np.rad2deg(thetas_rad)

    def run(sinograms: FloatStack) -> FloatVolume:
        slices = [
            iradon(sinograms[:-1, row].T, theta=thetas_deg, filter_name="ramp")[::-1]
            for row in range(sinograms.shape[1])
        ]
        return np.stack(slices)

    return run


def astra_fbp(thetas_rad: Angles, n_columns: int) -> Program:
    """Filtered back-projection on the processor; geometry and memory are kept between calls."""
    import astra

    volume = astra.create_vol_geom(n_columns, n_columns)
    projections = astra.create_proj_geom("parallel", 1.0, n_columns, thetas_rad)
    sinogram, image = (
        astra.data2d.create("-sino", projections),
        astra.data2d.create("-vol", volume),
    )
    settings = astra.astra_dict("FBP") | {
        "ProjectorId": astra.create_projector("linear", projections, volume),
        "ProjectionDataId": sinogram,
        "ReconstructionDataId": image,
        "option": {"FilterType": "Ram-Lak"},
    }
    algorithm = astra.algorithm.create(settings)

    def run(sinograms: FloatStack) -> FloatVolume:
        slices = []
        for row in range(sinograms.shape[1]):
            astra.data2d.store(sinogram, np.ascontiguousarray(sinograms[:-1, row]))
            astra.algorithm.run(algorithm)
            slices.append(astra.data2d.get(image)[::-1])
        return np.stack(slices)

    return run


def algotom_fbp(thetas_rad: Angles, axis_px: float) -> Program:
    """Filtered back-projection compiled by numba."""
    import numba
    from algotom.rec.reconstruction import fbp_reconstruction

    numba.set_num_threads(1)

    def run(sinograms: FloatStack) -> FloatVolume:
        found = fbp_reconstruction(
            *(sinograms[:-1], axis_px),
            angles=thetas_rad,
            filter_name=None,
            apply_log=False,
            gpu=False,
            ncore=1,
        )
        return np.ascontiguousarray(np.moveaxis(found, 1, 0)[:, ::-1])

    return run


def algotom_dfi(thetas_rad: Angles, axis_px: float) -> Program:
    """Direct Fourier inversion by interpolation in Fourier space."""
    from algotom.rec.reconstruction import dfi_reconstruction

    closed_rad = np.append(thetas_rad, np.pi)

    def run(sinograms: FloatStack) -> FloatVolume:
        found = dfi_reconstruction(
            *(sinograms, axis_px), angles=closed_rad, filter_name=None, apply_log=False, ncore=1
        )
        return np.ascontiguousarray(np.moveaxis(found, 1, 0)[:, ::-1])

    return run


def finufft_type1(thetas_rad: Angles, n_columns: int, axis_px: float) -> Program:
    """Filter rows of twice the width, and sum their spectra by a non-uniform transform.

    Its settings are the fastest: a tolerance of 1e-3, far below the error of the pixels, the
    smaller of its two grids, eight slices a call and points sorted before. Samples are those
    of the width of the detector, so that corners of the slices hold an alias.
    """
    import finufft
    import scipy.fft

    pad, length = n_columns // 2, scipy.fft.next_fast_len(2 * n_columns, real=True)
    n = np.minimum(np.arange(length), length - np.arange(length))
    kernel = np.where(n % 2 == 1, -1.0 / (np.pi * np.maximum(n, 1)) ** 2, 0.0)
    kernel[0] = 0.25
    ramp = scipy.fft.rfft(kernel).real.astype(np.float32)
    frequencies = np.arange((n_columns + 1) // 2) / n_columns
    u = 2.0 * np.pi * np.outer(np.cos(thetas_rad), frequencies)
    v = 2.0 * np.pi * np.outer(np.sin(thetas_rad), frequencies)
    # Modes are counted from -n // 2: even widths are half a voxel off.
    half_voxel = 0.5 * (1 - n_columns % 2) * (u + v)
    share = np.where(frequencies > 0.0, 2.0, 1.0) * np.pi / (thetas_rad.size * n_columns)
    phase = np.exp(1j * (2.0 * np.pi * frequencies * axis_px + half_voxel))
    factors = (share * phase).astype(np.complex64)
    at_once = 8
    plan = finufft.Plan(
        *(1, (n_columns, n_columns), at_once, 1e-3, 1),
        dtype="complex64",
        upsampfac=1.25,
        nthreads=1,
    )
    plan.setpts(v.astype(np.float32).ravel(), u.astype(np.float32).ravel())

    def spectra(rows: FloatStack) -> FloatVolume:
        extended = np.pad(rows, ((0, 0), (0, 0), (pad, pad)), mode="edge")
        spectrum = scipy.fft.rfft(extended, n=length, axis=-1, workers=1)
        spectrum *= ramp
        filtered = scipy.fft.irfft(spectrum, n=length, axis=-1, workers=1)
        kept = filtered[..., pad : pad + n_columns]
        return scipy.fft.rfft(kept, axis=-1, workers=1)[..., : frequencies.size]

    def run(sinograms: FloatStack) -> FloatVolume:
        sinograms, n_slices = sinograms[:-1], sinograms.shape[1]
        slices = np.empty((n_slices, n_columns, n_columns), np.float32)
        strengths = np.zeros((at_once, thetas_rad.size, frequencies.size), np.complex64)
        for first in range(0, n_slices, at_once):
            n_now = min(at_once, n_slices - first)
            for angle in range(0, thetas_rad.size, 16):  # in the cache
                angles = slice(angle, min(angle + 16, thetas_rad.size))
                part = spectra(sinograms[angles, first : first + n_now]) * factors[angles, None]
                strengths[:n_now, angles] = part.swapaxes(0, 1)
            images = plan.execute(strengths.reshape(at_once, -1))
            slices[first : first + n_now] = images[:n_now].real
        return slices

    return run


def tomopy_gridrec(thetas_rad: Angles, axis_px: float) -> Program | None:
    """Gridding with rows padded to twice the width, where TomoPy is installed."""
    if find_spec("tomopy") is None:
        return None
    import tomopy

    def run(sinograms: FloatStack) -> FloatVolume:
        n_columns = sinograms.shape[2]
        pad = n_columns // 2
        padded = np.pad(sinograms[:-1], ((0, 0), (0, 0), (pad, pad)), mode="edge")
        found = tomopy.recon(
            *(padded, thetas_rad),
            center=axis_px + pad,
            algorithm="gridrec",
            filter_name="ramlak",
            ncore=1,
        )
        inside = slice(pad, pad + n_columns)
        return np.ascontiguousarray(found[:, inside, inside][:, ::-1])

    return run

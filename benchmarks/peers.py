"""Other programs behind one signature: attenuation (angle, row, column) to slices (z, y, x).

All count the rows of a slice against our y, so their slices are turned over. The last projection,
at 180 degrees, is a mirror of the first: only who needs it takes it.
"""

from collections.abc import Callable

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

"""Scans of a calibration as they are looked at: blurred further, between the voxels, misplaced.

That is done to stored images, for it is cheap, and another draw needs no other image.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from scipy import ndimage

from lithoscope_models.calibration.draws import Experiment
from lithoscope_models.calibration.images import CalibrationScans
from lithoscope_models.data.image_model import ImageModel, left_by_blur, noise_volume
from lithoscope_pipeline.geometry import FloatVolume, Roi
from lithoscope_pipeline.phantom.response import FWHM_PER_SIGMA
from lithoscope_pipeline.resample import resample_region
from lithoscope_pipeline.rigid import RigidTransform

_STREAM: Final = 75


def seen_scans(
    scans: CalibrationScans, experiment: Experiment, model: ImageModel
) -> CalibrationScans:
    """Blur the scans of an experiment as far as it was drawn, shift them, misplace all but one.

    Parameters
    ----------
    scans
        As they were made.
    experiment
        Says how far.
    model
        Blur and noise of its family.

    Returns
    -------
    CalibrationScans
        The noise has the spectrum that it had: what the blur takes of it is drawn anew. All are
        shifted by less than a voxel from face to face, which changes no true metric.
    """
    errors_px = experiment.in_plane_errors_px(len(scans.scans))
    left = left_by_blur(model.noise.shape, (experiment.blur_px / FWHM_PER_SIGMA) ** 2)
    lost = model.noise * experiment.noise * np.sqrt(1.0 - left**2)
    grey = np.empty(scans.grey.shape, np.float16)
    for i, (scan, (z_px, x_px)) in enumerate(zip(scans.scans, errors_px, strict=True)):
        rng = np.random.default_rng([experiment.cell.seed, scan, _STREAM])
        image = np.asarray(scans.grey[i], np.float32)
        if experiment.blur_px:
            image = _blurred(image, experiment.blur_px)
            image += noise_volume(lost, scans.grey.shape[1:], rng)
        grey[i] = _misplaced(image, (float(z_px), experiment.offset_px, float(x_px)))
    return replace(scans, grey=grey)


def _blurred(image: FloatVolume, fwhm_px: float) -> FloatVolume:
    return np.asarray(
        ndimage.gaussian_filter(image, fwhm_px / FWHM_PER_SIGMA, mode="nearest"), np.float32
    )


def _misplaced(image: FloatVolume, shift_px: tuple[float, float, float]) -> FloatVolume:
    if not any(shift_px):
        return image
    n_z, n_y, n_x = image.shape
    whole = Roi(z0=0, z1=n_z, y0=0, y1=n_y, x0=0, x1=n_x)
    found = RigidTransform(shift_px=shift_px, centre_px=(0.0, 0.0, 0.0))
    return resample_region(image, found, roi=whole).volume

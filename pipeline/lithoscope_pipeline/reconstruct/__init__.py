"""Reconstruction methods behind one Protocol."""

from lithoscope_pipeline.reconstruct.fourier import FourierBackend
from lithoscope_pipeline.reconstruct.protocol import Backend
from lithoscope_pipeline.reconstruct.slab import reconstruct_slab
from lithoscope_pipeline.reconstruct.weights import angular_weights_rad

__all__ = ["Backend", "FourierBackend", "angular_weights_rad", "reconstruct_slab"]

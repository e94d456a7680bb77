"""Reconstruction methods behind one Protocol."""

from lithoscope_pipeline.reconstruct.astra_backend import AstraBackend
from lithoscope_pipeline.reconstruct.choose import (
    BACKEND_NAMES,
    BackendChoice,
    Machine,
    choose_backend,
    look_at_machine,
)
from lithoscope_pipeline.reconstruct.fourier import (
    FourierBackend,
    accumulator_bytes,
    fourier_bytes,
)
from lithoscope_pipeline.reconstruct.incremental import FourierAccumulator, FourierPlan
from lithoscope_pipeline.reconstruct.memory import RowPlan, ScanSize, plan_rows, slab_memory
from lithoscope_pipeline.reconstruct.protocol import Backend, MemoryNeed
from lithoscope_pipeline.reconstruct.slab import reconstruct_slab
from lithoscope_pipeline.reconstruct.tomopy_backend import TomopyBackend, gridrec_gain
from lithoscope_pipeline.reconstruct.weights import angular_weights_rad

__all__ = [
    "BACKEND_NAMES",
    "AstraBackend",
    "Backend",
    "BackendChoice",
    "FourierAccumulator",
    "FourierBackend",
    "FourierPlan",
    "Machine",
    "MemoryNeed",
    "RowPlan",
    "ScanSize",
    "TomopyBackend",
    "accumulator_bytes",
    "angular_weights_rad",
    "choose_backend",
    "fourier_bytes",
    "gridrec_gain",
    "look_at_machine",
    "plan_rows",
    "reconstruct_slab",
    "slab_memory",
]

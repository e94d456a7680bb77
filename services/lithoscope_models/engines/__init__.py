"""Engines: what runs a trained network, one Protocol for all."""

from lithoscope_models.engines.choose import Chosen, choose_engine
from lithoscope_models.engines.parity import Parity, compare_logits
from lithoscope_models.engines.probe import Probe, probe_engine
from lithoscope_models.engines.protocol import (
    ENGINES,
    Backend,
    Engine,
    EngineName,
    EngineRequest,
    Precision,
)

__all__ = [
    "ENGINES",
    "Backend",
    "Chosen",
    "Engine",
    "EngineName",
    "EngineRequest",
    "Parity",
    "Precision",
    "Probe",
    "choose_engine",
    "compare_logits",
    "probe_engine",
]

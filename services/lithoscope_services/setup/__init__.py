"""Set up an experiment: values with their questions, presets, and the answers put together."""

from lithoscope_services.setup.answers import Answers, put_together
from lithoscope_services.setup.presets import Preset, load_preset, preset_names
from lithoscope_services.setup.values import SETUP_VALUES, SetupValue

__all__ = [
    "SETUP_VALUES",
    "Answers",
    "Preset",
    "SetupValue",
    "load_preset",
    "preset_names",
    "put_together",
]

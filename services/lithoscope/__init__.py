"""Lithoscope from Python: ``lithoscope.open("STORE/NAME")`` gives an experiment to work with."""

from lithoscope.errors import MissingExtraError, NotThereError
from lithoscope.experiment import Experiment
from lithoscope.experiment import open_experiment as open
from lithoscope.scan import Scan

__all__ = ["Experiment", "MissingExtraError", "NotThereError", "Scan", "open"]

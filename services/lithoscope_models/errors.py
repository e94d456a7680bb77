"""Errors of models and engines.

::

    ModelError (RuntimeError)           one line: what, where, what to do
    ├── ModelRefusedError (ValueError)  a model file that must not, or cannot, be used
    ├── EngineUnavailableError          an engine that this machine cannot run
    ├── EngineMismatchError             an engine that does not give what the network gives
    ├── TrainingDataError (ValueError)  labels or scans that cannot be trained on
    └── RecipeError (ValueError)        a recipe that cannot be followed
"""


class ModelError(RuntimeError):
    """Base of everything models and engines raise on purpose."""


class ModelRefusedError(ModelError, ValueError):
    """A model file that must not, or cannot, be used; the text has the reason."""


class EngineUnavailableError(ModelError):
    """An engine cannot run here; the text says why."""


class EngineMismatchError(ModelError):
    """An engine gives other numbers, or runs elsewhere, than it was asked to."""


class TrainingDataError(ModelError, ValueError):
    """Labels or scans cannot be trained on."""


class RecipeError(ModelError, ValueError):
    """A recipe cannot be followed."""

"""Errors of the pipeline: a contract broken by the caller, never a result that was not found.

::

    PipelineError
    ├── ShapeError           (ValueError)  arrays that do not fit together
    ├── ParameterError       (ValueError)  a number outside its range
    ├── NonFiniteError       (ValueError)  NaN or infinity where numbers are needed
    ├── AngularRangeError    (ValueError)  angles that cannot carry what was asked
    ├── MissingLibraryError  (ImportError) a method whose program is not installed
    └── OutOfMemoryError     (MemoryError) work that does not fit, on the host or a device
"""


class PipelineError(Exception):
    """Base of everything the pipeline raises on purpose; the message says what to do."""


class ShapeError(PipelineError, ValueError):
    """Arrays do not fit together or have a wrong number of dimensions."""


class ParameterError(PipelineError, ValueError):
    """A parameter lies outside its range."""


class NonFiniteError(PipelineError, ValueError):
    """An array holds NaN or infinity where finite numbers are needed."""


class AngularRangeError(PipelineError, ValueError):
    """The angles cover too little to answer what was asked."""


class MissingLibraryError(PipelineError, ImportError):
    """A method needs a program that is not installed here."""


class OutOfMemoryError(PipelineError, MemoryError):
    """The memory of the host or of a device is too small for what was asked."""

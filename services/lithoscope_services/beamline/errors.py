"""Errors of the beamline.

ServiceError
└── BeamlineError                 one line: what, where, what to do
    ├── PlanError (ValueError)    a plan was asked for something outside its bounds
    └── CyclerError               the channel of a cycler will not do something
        ├── CyclerLimitError      outside its limits, or a potential outside its window
        └── CyclerHeldError       held by a protective action until a person releases it
"""

from lithoscope_services.errors import ServiceError


class BeamlineError(ServiceError):
    """Something at the beamline cannot be done."""


class PlanError(BeamlineError, ValueError):
    """A plan was asked for something outside its bounds."""


class CyclerError(BeamlineError):
    """The channel of a cycler will not do something."""


class CyclerLimitError(CyclerError, ValueError):
    """A current outside the limits of a channel, or a potential outside its window."""


class CyclerHeldError(CyclerError):
    """The channel is held by a protective action; only a person releases it."""

"""Errors of acting.

ServiceError
└── ActuatorError           what a decision wants cannot be done
    ├── NotAllowedError     the settings do not allow it; nothing was sent
    └── KeysFileError       the file with keys cannot be used
"""

from lithoscope_services.errors import ServiceError


class ActuatorError(ServiceError):
    """What a decision wants cannot be done."""


class NotAllowedError(ActuatorError):
    """The settings do not allow an action, or not with these parameters; nothing was sent."""


class KeysFileError(ActuatorError):
    """The file with keys is missing, open to others, or not as it should be."""

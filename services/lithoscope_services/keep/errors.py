"""Errors of what is done to stored experiments.

KeepError (ServiceError, ValueError)    it cannot be done as it was asked for
"""

from lithoscope_services.errors import ServiceError


class KeepError(ServiceError, ValueError):
    """A stored experiment cannot be treated as it was asked for; the text says what to do."""

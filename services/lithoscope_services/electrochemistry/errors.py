"""Errors of attaching a cycler's record.

AttachError (ServiceError, ValueError)
"""

from lithoscope_services.errors import ServiceError


class AttachError(ServiceError, ValueError):
    """A record cannot be attached to an experiment; the text says why and what to do."""

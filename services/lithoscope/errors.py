"""Errors of the face for notebooks."""

from lithoscope_services.errors import ServiceError


class MissingExtraError(ServiceError, ImportError):
    """A library of an extra is not installed; the text says which."""


class NotThereError(ServiceError, LookupError):
    """The experiment has no such scan, or the scan has no such result."""

"""Errors of the services.

ServiceError (RuntimeError)        one line: what, where, what to do
├── StopRequested                  the service was told to stop while it waited
├── JournalRefusedError            the journal would not write a fact
├── InstanceError                  no instance, or two of them
├── SourceError (ValueError)       a file or a stream that is no scan
│   └── FileBusyError              a file that another program is writing
├── TaskFailedError                a task gave a named failure
├── RefusedError                   ingest will not take an experiment or a scan
└── UnsafeEndpointError            an address that must not be bound
"""


class ServiceError(RuntimeError):
    """A named failure: what happened, where, and what to do."""


class StopRequested(ServiceError):  # noqa: N818 - it is an order, not an error
    """The service was told to stop while it waited for something."""


class JournalRefusedError(ServiceError):
    """The journal would not write a fact; the text has its reason."""


class InstanceError(ServiceError):
    """There is no running instance, or one too many."""


class SourceError(ServiceError, ValueError):
    """A file or a stream that cannot be taken as a scan."""


class FileBusyError(SourceError):
    """Another program has the file open for writing."""


class TaskFailedError(ServiceError):
    """A task ended with a named failure that a repetition would not cure."""


class RefusedError(ServiceError):
    """Ingest will not take an experiment or a scan; the text has its reason."""


class UnsafeEndpointError(ServiceError):
    """An address that this program refuses to bind."""

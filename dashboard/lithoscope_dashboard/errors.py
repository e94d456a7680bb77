"""What can go wrong in the dashboard.

DashboardError
├── FeedGapError            (ValueError)   an entry came before the one that it follows
├── PortTakenError          (OSError)      another program listens where the page should be
├── JournalUnreachableError (TimeoutError) nobody answered a request in time
├── JournalRefusedError                    the journal would not write a request
└── PictureError            (LookupError)  there is no such slice
"""


class DashboardError(Exception):
    """Base of all errors of the dashboard."""


class FeedGapError(DashboardError, ValueError):
    """An entry came before the one that it follows."""


class PortTakenError(DashboardError, OSError):
    """Another program listens where the page should be."""


class JournalUnreachableError(DashboardError, TimeoutError):
    """The journal did not answer in time."""


class JournalRefusedError(DashboardError):
    """The journal would not write a request."""


class PictureError(DashboardError, LookupError):
    """There is no such slice, or nothing is known of it yet."""

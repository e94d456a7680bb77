"""What can go wrong in the dashboard.

DashboardError
├── FeedGapError            (ValueError)   an entry came before the one that it follows
├── PortTakenError          (OSError)      another program listens where the page should be
├── JournalUnreachableError (TimeoutError) nobody answered a request in time
├── JournalRefusedError                    the journal would not write a request
├── PictureError            (LookupError)  there is no such slice
├── TreeError               (ValueError)   something that may not be drawn in the browser
└── ViewError               (ValueError)   an address that no page has
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


class TreeError(DashboardError, ValueError):
    """Something was to be drawn in the browser that may not be."""


class ViewError(DashboardError, ValueError):
    """An address that no page has, or an experiment that is not there."""

"""What a tab looks at: the page and the experiment that its address names. Pure."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from lithoscope_dashboard.errors import ViewError

LONGEST = 512
_EXPERIMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OPTION = re.compile(r"[A-Za-z0-9_., :+-]{0,200}")
_NAME = re.compile(r"[a-z_]{1,32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A page, and what it is to show.

    Parameters
    ----------
    page
        Path of the page.
    experiment
        A stored experiment; None for the one that runs.
    scan
        A scan to begin with; None for the newest.
    options
        What else stands in the address, by name: pages read what they know.
    """

    page: str
    experiment: str | None = None
    scan: int | None = None
    options: tuple[tuple[str, str], ...] = ()

    def option(self, name: str, default: str = "") -> str:
        """Give what the address says of one thing."""
        return dict(self.options).get(name, default)


def parse_view(address: str) -> View:
    """Read path and query of an address, whatever a browser may send.

    Raises
    ------
    ViewError
        If it is too long or has something that no page asks for.
    """
    if len(address) > LONGEST:
        raise ViewError(f"an address has at most {LONGEST} characters")
    try:
        parts = urlsplit(address)
        pairs = parse_qsl(parts.query, max_num_fields=16)
    except ValueError as error:
        raise ViewError(f"the address cannot be read: {error}") from error
    experiment: str | None = None
    scan: int | None = None
    options = []
    for name, value in pairs:
        if name == "experiment" and _EXPERIMENT.fullmatch(value):
            experiment = value
        elif name == "scan" and value.isdecimal() and len(value) <= 4:
            scan = int(value)
        elif name not in ("experiment", "scan") and _NAME.fullmatch(name):
            if not _OPTION.fullmatch(value):
                raise ViewError(f"{name} has characters that mean nothing here")
            options.append((name, value))
        else:
            raise ViewError(f"{name[:32]!r} of the address means nothing here")
    page = parts.path.rstrip("/") or "/"
    return View(page=page, experiment=experiment, scan=scan, options=tuple(sorted(options)))

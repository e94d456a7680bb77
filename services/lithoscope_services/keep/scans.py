"""Which scans a person means."""

from collections.abc import Iterable

from lithoscope_services.keep.errors import KeepError


def choose_scans(text: str, known: Iterable[int]) -> tuple[int, ...]:
    """Read numbers of scans.

    Parameters
    ----------
    text
        ``all``, or numbers and ranges with commas between: ``0,3-5``.
    known
        Scans that there are.

    Returns
    -------
    tuple of int
        Rising, each once.

    Raises
    ------
    KeepError
        If it is neither, or names a scan that is not there.
    """
    there = set(known)
    if text.strip() == "all":
        return tuple(sorted(there))
    wanted: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise KeepError(f"{text!r} names no scans; give all, or numbers such as 0,3-5")
        wanted |= set(range(int(first), int(last or first) + 1))
    missing = sorted(wanted - there)
    if missing:
        shown = ", ".join(map(str, missing[:5]))
        raise KeepError(
            f"there is no scan {shown}; there are {_range(there)}, give some of these or all"
        )
    return tuple(sorted(wanted))


def _range(scans: set[int]) -> str:
    return f"{min(scans)} to {max(scans)}" if scans else "none"

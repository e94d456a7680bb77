"""What a column of a cycler's table holds: quantity and unit, from its heading."""

import re
from dataclasses import dataclass
from typing import Final, Literal

Quantity = Literal["time", "potential", "current", "charge"]

# The longer a name stands here before another, the better it is: total time before time.
_NAMES: Final[dict[Quantity, tuple[str, ...]]] = {
    "time": (
        "total time", "test time", "experiment time", "elapsed time", "time", "zeit", "t",
        "step time", "relative time",
    ),
    "potential": (
        "potential", "ewe", "ewe-ece", "ecell", "<ewe>", "voltage", "cell voltage", "spannung",
        "e", "u", "v", "vf",
    ),
    "current": ("current", "<i>", "i", "strom", "im", "control"),
    "charge": ("(q-qo)", "q-qo", "charge", "net charge", "ladung"),
}  # fmt: skip
_UNITS: Final[dict[Quantity, dict[str, float]]] = {
    "time": {
        "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3,
        "min": 60.0, "mins": 60.0, "minutes": 60.0, "h": 3600.0, "hr": 3600.0, "hours": 3600.0,
        "hour": 3600.0, "d": 86400.0,
        # As the clock: 1:02:03.5
        "h:min:s": 1.0, "hh:mm:ss": 1.0, "h:m:s": 1.0, "h:min:s.ms": 1.0, "hh:mm:ss.ms": 1.0,
        "dd:hh:mm:ss": 1.0,
    },
    "potential": {"v": 1.0, "mv": 1e-3, "uv": 1e-6},
    "current": {"ma": 1.0, "a": 1e3, "ua": 1e-3, "na": 1e-6},
    "charge": {
        "mah": 1.0, "ah": 1e3, "uah": 1e-3, "c": 1.0 / 3.6, "mc": 1.0 / 3600.0,
    },
}  # fmt: skip
_PARTS = re.compile(
    r"""^\s*(?P<name>.+?)\s*
        (?: \(\s*(?P<round>[^()]*)\s*\)\s*$ | \[\s*(?P<square>[^\[\]]*)\s*\]\s*$
          | \s*/\s*(?P<slash>[^/\s]+)\s*$ | [_,]\s*(?P<under>[A-Za-zµμ.:*]+)\s*$ )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class ColumnMeaning:
    """What a column holds.

    Parameters
    ----------
    quantity
        Which.
    rank
        The lower, the better it is among columns of the same quantity.
    factor
        From its unit to s, V, mA or mAh; None if the heading has no unit.
    """

    quantity: Quantity
    rank: int
    factor: float | None


def read_heading(text: str) -> ColumnMeaning | None:
    """Tell what a heading means; None if it is none of what is needed.

    Parameters
    ----------
    text
        Such as ``time/s``, ``I [A]``, ``Current(mA)``, ``Ewe/V``, ``time_s``, ``Spannung / V``.
    """
    for name, unit in _readings(text):
        for quantity, names in _NAMES.items():
            if name not in names:
                continue
            if unit is None:
                return ColumnMeaning(quantity, names.index(name), None)
            factor = unit_factor(quantity, unit)
            if factor is not None:
                return ColumnMeaning(quantity, names.index(name), factor)
    return None


def unit_factor(quantity: Quantity, unit: str) -> float | None:
    """Give the factor of a unit to s, V, mA or mAh; None if it is no unit of this quantity."""
    plain = re.sub(r"[\s.·*]", "", unit.lower().replace("µ", "u").replace("μ", "u"))
    units = {name.replace(".", ""): factor for name, factor in _UNITS[quantity].items()}
    return units.get(plain)


def _readings(text: str) -> list[tuple[str, str | None]]:
    """Give what a heading may be: a name and a unit, or a name alone."""
    found: list[tuple[str, str | None]] = []
    match = _PARTS.match(text)
    if match is not None:
        unit = next(
            (match[kind] for kind in ("round", "square", "slash", "under") if match[kind]), None
        )
        if unit is not None:
            found.append((_plain(match["name"]), unit))
    found.append((_plain(text), None))
    return found


def _plain(name: str) -> str:
    return re.sub(r"[\s_]+", " ", name.strip().strip('"').lower())

"""Numbers as people read them: the core metrics, durations, intervals. Pure."""

from dataclasses import dataclass

from lithoscope_messages import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A core metric as the page shows it: ``scale`` turns its unit into ``unit``."""

    metric: str
    name: str
    unit: str
    scale: float = 1.0
    digits: str = ".1f"

    def text(self, value: float) -> str:
        """Write a value of the metric in the unit of the page."""
        return format(value * self.scale, self.digits)


CORE = (
    Quantity(metric="remaining_gap_um", name="Remaining gap", unit="µm"),
    Quantity(metric="plating_side_thickness_um", name="Plating side", unit="µm"),
    Quantity(metric="stripping_side_thickness_um", name="Stripping side", unit="µm"),
    Quantity(
        metric="deposited_volume_um3",
        name="Deposited volume",
        unit="10⁶ µm³",
        scale=1e-6,
        digits=".3f",
    ),
    Quantity(
        metric="dendrite_volume_um3",
        name="Dendrite volume",
        unit="10⁶ µm³",
        scale=1e-6,
        digits=".3f",
    ),
    Quantity(metric="deposited_coverage", name="Coverage", unit="%", scale=100.0),
)
NOT_KNOWN = "–"


def change_text(quantity: Quantity, first: float, now: float) -> str:
    """Write how much a metric has changed, with its sign."""
    change = (now - first) * quantity.scale
    text = format(abs(change), quantity.digits)
    if float(text) == 0:
        return f"±0 {quantity.unit}"
    return f"{'+' if change > 0 else '−'}{text} {quantity.unit}"


_UNITS = {"1": "", "um": "µm", "um3": "µm³", "um2": "µm²", "mA/cm2": "mA cm⁻²"}


def unit_text(unit: str) -> str:
    """Write a unit as people do; nothing for a plain number."""
    return _UNITS.get(unit, unit.replace("um3", "µm³").replace("um", "µm"))


def metric_title(name: str) -> str:
    """Write the name of a metric as words, without the unit that stands beside it."""
    for suffix in ("_um3", "_um2", "_um", "_px"):
        name = name.removesuffix(suffix)
    return name.replace("_", " ")


def flags_text(flags: tuple[str, ...]) -> str:
    """Write flags as words."""
    return ", ".join(flag.replace("_", " ") for flag in flags)


def evidence_text(evidence: Evidence) -> str:
    """Write one number that a proposal rests on, with its interval and the bound that counted."""
    value = NOT_KNOWN if evidence.value is None else f"{evidence.value:.4g}"
    parts = [f"{evidence.metric.replace('_', ' ')} = {value}"]
    if evidence.low95 is not None and evidence.high95 is not None:
        parts.append(f"(95 %: {evidence.low95:.4g} – {evidence.high95:.4g})")
    if evidence.bound_used != "value":
        parts.append(f"[{evidence.bound_used} counted]")
    if evidence.flags:
        parts.append(f"· {flags_text(evidence.flags)}")
    return " ".join(parts)


def duration_text(seconds: float) -> str:
    """Write a duration in the largest unit that leaves a digit before the point."""
    if seconds < 0.0005:
        return "0 s"
    if seconds < 0.95:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 99.5:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"

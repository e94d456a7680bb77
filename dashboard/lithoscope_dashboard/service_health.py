"""Whether a service is well, by its newest heartbeat. Pure."""

from lithoscope_dashboard.board import STALE_S, Beat
from lithoscope_dashboard.quantities import NOT_KNOWN, duration_text
from lithoscope_messages import Life


def health_of(beat: Beat | None, now_s: float) -> tuple[str, str]:
    """Say how a service is (well, busy, stale or unknown), and how long ago it was heard."""
    if beat is None:
        return "unknown", NOT_KNOWN
    age_s = max(0.0, now_s - beat.seen_s)
    # Whole seconds: a row changes when something does, not with every look at the clock.
    age = f"{age_s:.0f} s" if age_s < 100 else duration_text(age_s)
    if age_s > STALE_S or beat.heartbeat.state in (Life.FAILED, Life.STOPPED):
        return "stale", age
    return ("busy" if beat.heartbeat.state is Life.RUNNING else "well"), age

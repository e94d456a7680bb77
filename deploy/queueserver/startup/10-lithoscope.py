"""All that Lithoscope may ask of this queue server: one function, two plans.

`user_group_permissions.yaml` allows the group `lithoscope` these and nothing else.
"""

from lithoscope_services.beamline.cycler_function import CyclerFunction
from lithoscope_services.beamline.plans import finer_scan_plan, repeat_flats_plan
from lithoscope_services.beamline.requests import ScanBounds

# Dose and time allow no more; the device's own limits stay in force beside it.
_BOUNDS = ScanBounds(max_projections=3000, min_step_deg=0.05)
_ask_cycler = CyclerFunction(cycler)  # noqa: F821 - of 00-beamline.py


def lithoscope_cycler(function, correlation_id, reason="", current_share=None):
    """Hold the cycler, or lower its current; never the opposite. Started in the background."""
    return _ask_cycler(function, correlation_id, reason, current_share)


def lithoscope_finer_scan(projections_factor: float = 2.0):
    """Take the next scan with more angles over the same half-turn."""
    request = next_scan()  # noqa: F821 - of 00-beamline.py
    n_projections = round(projections_factor * len(request.thetas_deg))
    yield from finer_scan_plan(
        tomograph,  # noqa: F821 - of 00-beamline.py
        request,
        _BOUNDS,
        n_projections=n_projections,
    )


def lithoscope_repeat_flats(n_flats: int = 20):
    """Take the next scan with flats after the projections too."""
    yield from repeat_flats_plan(tomograph, next_scan(), n_flats=int(n_flats))  # noqa: F821

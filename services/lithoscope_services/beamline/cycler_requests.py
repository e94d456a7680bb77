"""What may be asked of a cycler by name, for a caller over a wire."""

from bluesky.protocols import Reading

from lithoscope_services.beamline.cycler import Cycler
from lithoscope_services.beamline.errors import CyclerError


async def request_by_name(
    cycler: Cycler,
    function: str,
    *,
    current_mA: float | None = None,  # noqa: N803 - the unit is mA
    reason: str = "",
) -> dict[str, Reading[float]]:
    """Do one of the functions that the limits of a cycler allow to be asked for by name.

    The name is data: only what stands in ``limits.functions`` is done, and none of it can drive
    the cell harder. Current is raised, and a hold released, by plans and by persons alone.

    Parameters
    ----------
    cycler
        The channel.
    function
        ``read``, ``hold`` or ``lower_current``.
    current_mA
        For ``lower_current``.
    reason
        For ``hold``.

    Returns
    -------
    dict
        The reading afterwards.

    Raises
    ------
    CyclerError, CyclerLimitError
        If it is not allowed, or no lower current.
    """
    if function not in cycler.limits.functions:
        allowed = ", ".join(sorted(cycler.limits.functions)) or "none"
        raise CyclerError(f"{cycler.name}: {function!r} may not be requested; allowed: {allowed}")
    match function:
        case "read":
            pass
        case "hold":
            await cycler.hold(reason)
        case "lower_current":
            await cycler.lower_current(current_mA)
        case _:
            raise CyclerError(f"{cycler.name}: {function!r} is no function of a cycler")
    return await cycler.read()

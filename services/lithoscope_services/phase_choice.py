"""Whether the fringes of a scan are taken back, and with which filter."""

from dataclasses import dataclass

from lithoscope_pipeline.phase_retrieval import PaganinFilter
from lithoscope_services.errors import ServiceError
from lithoscope_services.settings import ReconstructSettings, ScanSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidOfScan:
    """What a source says of a scan; None where it does not."""

    distance_mm: float | None
    energy_kev: float | None
    voxel_um: float


def choose_phase_filter(
    reconstruct: ReconstructSettings, scan: ScanSettings, *, said: SaidOfScan
) -> PaganinFilter | None:
    """Choose the phase retrieval of a scan.

    Parameters
    ----------
    reconstruct
        What is wanted.
    scan
        A distance and an energy there go before those of the source.
    said
        What the source says.

    Returns
    -------
    PaganinFilter or None
        None where fringes stay.

    Raises
    ------
    ServiceError
        If retrieval is demanded of a scan whose distance or energy nobody knows.
    """
    if reconstruct.phase == "none":
        return None
    distance_mm = said.distance_mm if scan.distance_mm is None else scan.distance_mm
    energy_kev = said.energy_kev if scan.energy_keV is None else scan.energy_keV
    if not distance_mm or not energy_kev:
        if reconstruct.phase == "paganin":
            raise ServiceError(
                f"reconstruct.phase is paganin, but distance_mm is {distance_mm} and energy_keV "
                f"{energy_kev}; set scan.distance_mm and scan.energy_keV"
            )
        return None
    return PaganinFilter(
        distance_mm=distance_mm,
        energy_keV=energy_kev,
        voxel_um=said.voxel_um,
        delta_beta=reconstruct.delta_beta,
    )


def halo_rows(rows: slice, n_rows: int, phase: PaganinFilter | None) -> tuple[slice, int, int]:
    """Return the rows that a slab needs, and how many of them at either end are not its own."""
    reach = 0 if phase is None else phase.reach_px
    first, last = max(0, rows.start - reach), min(n_rows, rows.stop + reach)
    return slice(first, last), rows.start - first, last - rows.stop

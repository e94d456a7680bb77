"""What is done to the counts of a scan, from the settings."""

from lithoscope_pipeline.correct import Correction
from lithoscope_pipeline.phase_retrieval import PaganinFilter
from lithoscope_services.settings import ReconstructSettings


def choose_correction(
    reconstruct: ReconstructSettings, *, phase: PaganinFilter | None, n_flat_sets: int
) -> Correction:
    """Choose the correction of a scan.

    Parameters
    ----------
    reconstruct
        What is wanted.
    phase
        From `choose_phase_filter`.
    n_flat_sets
        Sets of flats that the scan has or will have; with one, any mode is that of flats before.

    Returns
    -------
    Correction
        Says itself whether it needs the whole scan.
    """
    wanted = Correction(
        flats=reconstruct.flats,
        zinger_threshold=reconstruct.zingers,
        rings=reconstruct.rings,
        phase=phase,
    )
    return wanted.for_flat_sets(n_flat_sets)

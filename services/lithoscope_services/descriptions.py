"""What a source says of an experiment and of a scan, completed by the settings."""

from typing import Any

from lithoscope_messages import ExperimentDescription, ScanBegin
from lithoscope_services.settings.tree import Settings


def complete_experiment(said: ExperimentDescription, settings: Settings) -> ExperimentDescription:
    """Take from the settings what the source does not say."""
    names = ("n_scans", "sample", "active_area_cm2", "first_current_sign", "edge_on_deg")
    missing = {
        name: getattr(settings.experiment, name)
        for name in names
        if getattr(said, name) in (None, "")
    }
    return said.model_copy(update=missing)


def complete_scan(said: ScanBegin, settings: Settings) -> dict[str, Any]:
    """Give what is announced of a scan: what a person has set stands before what the source says.

    Returns
    -------
    dict
        The fields of ScanStarted but for those that every fact has.
    """
    parts = said.model_dump(
        exclude={"type", "version", "session", "sequence", "time_ns", "experiment"}
    )
    given = {
        "voxel_size_um": settings.scan.voxel_size_um,
        "energy_keV": settings.scan.energy_keV,
    }
    return parts | {name: value for name, value in given.items() if value is not None}

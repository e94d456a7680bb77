"""Verify a stored experiment, whether an instance runs on it or not."""

from collections.abc import Callable
from typing import Any

from lithoscope_services.reading import ReportError, read_entries
from lithoscope_store import Store, StoreError, Verified, find_instance, verify_experiment


def verify_stored(
    store: Store, experiment: str, *, is_deep: bool, advance: Callable[[int], None]
) -> Verified:
    """Look at every stored byte of an experiment.

    Parameters
    ----------
    store, experiment
        Where it lies.
    is_deep
        Check a sealed experiment by its own checksums too.
    advance
        Is told the bytes that were looked at.

    Raises
    ------
    ReportError
        If there is no such experiment.
    """
    paths = store.experiment(experiment)
    if not paths.root.is_dir():
        known = ", ".join(store.experiments()[:10]) or "none"
        raise ReportError(
            f"no experiment {experiment!r} in {store.root} (there: {known}); check the name and "
            "--store"
        )
    entries = None
    if find_instance(store) is not None and not paths.manifest.is_file():
        # Only the journal's service opens a file that grows.
        try:
            entries = read_entries(store, experiment)
        except StoreError:
            entries = None
    return verify_experiment(paths, entries=entries, is_deep=is_deep, advance=advance)


def verified_as_json(verified: Verified) -> dict[str, Any]:
    """Give what was found as JSON."""
    return {
        "experiment": verified.experiment,
        "is_whole": verified.is_whole,
        "is_sealed": verified.is_sealed,
        "n_files": verified.n_files,
        "n_bytes": verified.n_bytes,
        "n_entries": verified.n_entries,
        "findings": [
            {"path": each.path, "how": each.how, "what": each.what, "advice": each.advice}
            for each in verified.findings
        ],
        "pruned": list(verified.pruned),
    }

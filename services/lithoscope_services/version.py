"""Which version of Lithoscope this is."""

from importlib.metadata import version


def software_version() -> str:
    """Give the version of the installed distribution."""
    return version("lithoscope")

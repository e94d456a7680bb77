"""The command line starts fast: it imports what a command needs when the command runs."""

import subprocess
import sys

HEAVY = (
    *("numpy", "scipy", "numba", "zarr", "h5py", "finufft"),
    *("SimpleITK", "dash", "bluesky", "pydantic"),
)


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from lithoscope_services.cli import make_app\n"
        "make_app()(['--help'], standalone_mode=False)\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stderr.strip() == "[]"


def test_settings_import_nothing_that_computes() -> None:
    """Each of a dozen processes loads them first."""
    program = (
        "import sys\n"
        "import lithoscope_services.settings\n"
        "print({'scipy', 'numba', 'cc3d'} & set(sys.modules))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout.strip() == "set()"

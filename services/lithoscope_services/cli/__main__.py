"""``python -m lithoscope_services.cli`` is the same as ``lithoscope``."""

from lithoscope_services.cli import main

main()

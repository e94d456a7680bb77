"""The beamline side: devices and plans of a Bluesky RunEngine, and sources of frames."""

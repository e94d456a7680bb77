"""Sources of frames: one adapter a module."""

"""The science of Lithoscope: pure functions on arrays."""

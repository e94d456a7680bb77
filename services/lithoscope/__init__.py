"""The public face of Lithoscope for notebooks."""

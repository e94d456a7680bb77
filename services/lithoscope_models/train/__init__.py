"""Training networks by recipes: limited by steps, seeded, resumable."""

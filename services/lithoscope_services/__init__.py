"""Processes: a fact in, facts out."""

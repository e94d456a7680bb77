"""Stored experiments: verify, export, import and thin them out."""

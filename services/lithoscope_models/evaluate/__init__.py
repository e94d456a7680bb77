"""All networks and the classical methods on the same held-out scans, in one table."""

"""Hosts that are this machine alone."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Say whether a host of an address is only reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

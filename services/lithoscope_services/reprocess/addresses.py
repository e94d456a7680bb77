"""Which schedulers may be talked to: on this machine, or with certificates."""

from urllib.parse import urlsplit

from lithoscope_messages.hosts import is_loopback
from lithoscope_services.errors import ServiceError
from lithoscope_services.settings.cluster_table import ClusterSettings


class ClusterError(ServiceError):
    """There is no cluster, or none that may be used."""


def check_address(address: str, settings: ClusterSettings) -> bool:
    """Refuse a scheduler that anybody between could read from or give orders to.

    Parameters
    ----------
    address
        ``tcp://127.0.0.1:8786`` or ``tls://host:8786``.
    settings
        Name the certificates.

    Returns
    -------
    bool
        Whether certificates are used.

    Raises
    ------
    ClusterError
        If it is none, if it leaves this machine without TLS, or if a certificate is missing.
    """
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    try:
        has_place = bool(parts.hostname and parts.port)
    except ValueError:
        has_place = False
    if parts.scheme not in ("tcp", "tls") or not has_place:
        raise ClusterError(
            f"--scheduler {address}: no address; give local, slurm, tcp://127.0.0.1:8786 or "
            "tls://host:8786"
        )
    if parts.scheme == "tcp":
        if not is_loopback(parts.hostname or ""):
            raise ClusterError(
                f"--scheduler {address} leaves this machine without encryption, and whoever "
                "reaches a scheduler can run programs as you; start it with TLS and give tls://"
            )
        return False
    for name in ("tls_ca_file", "tls_cert_file", "tls_key_file"):
        path = getattr(settings, name)
        if path is None or not path.is_file():
            raise ClusterError(
                f"--scheduler {address} needs certificates, and cluster.{name} "
                f"{'is not set' if path is None else f'{path} is missing'}; see docs/reprocess.md"
            )
    if settings.tls_key_file is not None and settings.tls_key_file.stat().st_mode & 0o077:
        raise ClusterError(
            f"{settings.tls_key_file} can be read by others; chmod 600 it, for it is a key"
        )
    return True

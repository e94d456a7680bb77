"""What a service says of itself when it begins."""

import os
import time

from lithoscope_messages import SYSTEM_JOURNAL, Role, ServiceStarted
from lithoscope_services.version import software_version


def service_started(service: Role) -> ServiceStarted:
    """Give the fact that this process has begun as a service."""
    now_ns = time.time_ns()
    return ServiceStarted(
        experiment=SYSTEM_JOURNAL,
        key=f"{service}-{os.getpid()}-{now_ns}",
        time_ns=now_ns,
        producer=service,
        service=service,
        pid=os.getpid(),
        software_version=software_version(),
    )

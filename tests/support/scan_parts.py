"""What every fact of a scan has, for journals that tests write by hand."""

from typing import Any


def parts(kind: str, scan: int) -> dict[str, Any]:
    return {
        "experiment": "cell",
        "key": f"{kind}{scan}",
        "time_ns": 1,
        "producer": "test",
        "scan": scan,
    }

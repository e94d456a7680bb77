"""A source that ends its experiment in the middle of a scan has ended that scan too."""

from pathlib import Path

import pytest
from spine import begin, described, send, spine

from lithoscope_messages import FrameKey, ScanCompleted
from lithoscope_services.errors import StopRequested
from lithoscope_services.frame_link import FrameLink
from lithoscope_services.loop import endpoint


def test_the_end_of_an_experiment_closes_the_scan_that_runs(tmp_path: Path) -> None:
    with spine(tmp_path) as services:
        services.start("journal", "ingest")
        closed: list[ScanCompleted] = []

        def look() -> None:
            facts = [entry.message for entry in services.entries("cell-1")]
            closed.extend(fact for fact in facts if isinstance(fact, ScanCompleted))
            if closed:
                raise StopRequested("nobody decides here: it would wait for ever")

        address = endpoint(services.runtime_dir, "frames")
        with FrameLink(address, "cell-1", resend_after_s=0.3) as link:
            begin(link, 0, described(4))
            send(link, FrameKey(scan=0, kind="projection", index=0))
            link.flush()
            link._idle = look
            with pytest.raises(StopRequested):
                link.end_experiment()

    assert closed[0].reason == "timeout"
    assert closed[0].account.stored == 1

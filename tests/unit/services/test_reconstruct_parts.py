"""A scan in parts against the same scan at once."""

from pathlib import Path

from live_scans import LiveStore, RodScan

from lithoscope_messages import SlabReady, VolumeReady
from lithoscope_services.settings import Settings, replace_values
from lithoscope_services.stages.reconstruct.stage import ReconstructStage


def stored_scan(root: Path) -> LiveStore:
    settings = replace_values(Settings(), {"reconstruct.slab_rows": 4})
    store = LiveStore(root, settings)
    rods = RodScan(closed=(17, 60))
    store.begin(0, rods)
    store.write(0, rods, range(len(rods.thetas_deg)))
    store.complete(0)
    return store


def test_parts_of_a_scan_write_the_bytes_of_the_whole(tmp_path: Path) -> None:
    store = stored_scan(tmp_path / "whole")
    apart = store.copied_to(tmp_path / "parts")
    stage = ReconstructStage()
    task = stage.plan(store.history)[0]

    *slabs, whole = list(stage.execute(task, str(store.root)))
    root = str(apart.root)
    begun = stage.begin(task, root)
    # The last part first: parts know nothing of each other.
    parts = [
        fact
        for part in reversed(begun["parts"])
        for fact in ReconstructStage().do_part(task, root, begun, part)
    ]
    together = list(stage.finish(task, root, begun, parts))

    assert len(begun["parts"]) == 2
    assert isinstance(whole, VolumeReady)
    assert [said(fact) for fact in together] == [said(whole)]
    assert sorted(map(slab_of, parts)) == sorted(map(slab_of, slabs))


def said(fact: object) -> dict[str, object]:
    assert isinstance(fact, VolumeReady)
    return fact.model_dump(exclude={"time_ns", "hops", "batch_reason"})


def slab_of(fact: object) -> tuple[int, int, str]:
    assert isinstance(fact, SlabReady)
    return fact.z0, fact.z1, fact.sha256


def test_a_scan_of_few_slabs_is_not_cut(tmp_path: Path) -> None:
    store = LiveStore(tmp_path)
    rods = RodScan()
    store.begin(0, rods)
    store.write(0, rods, range(len(rods.thetas_deg)))
    store.complete(0)
    stage = ReconstructStage()

    assert stage.begin(stage.plan(store.history)[0], str(store.root)) == {"parts": []}

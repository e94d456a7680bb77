"""What may still be taken: the machine's own, or what a control group leaves."""

from pathlib import Path

import psutil
import pytest

from lithoscope_services.free_memory import free_host_bytes

MIB = 2**20


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_without_a_limit_it_is_what_the_machine_has(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/user.slice\n",
            "sys/fs/cgroup/user.slice/memory.max": "max\n",
            "sys/fs/cgroup/user.slice/memory.current": "1000\n",
        },
    )

    # Other programs take and give back between the two looks.
    assert free_host_bytes(root) == pytest.approx(psutil.virtual_memory().available, rel=0.2)


@pytest.mark.parametrize(
    ("line", "base", "names"),
    [
        ("0::/job\n", "sys/fs/cgroup/job", ("memory.max", "memory.current", "inactive_file")),
        (
            "4:cpu:/other\n3:memory:/job\n",
            "sys/fs/cgroup/memory/job",
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ),
    ],
    ids=["version 2", "version 1"],
)
def test_a_group_allows_its_limit_less_what_is_used_and_cannot_be_given_up(
    tmp_path: Path, line: str, base: str, names: tuple[str, str, str]
) -> None:
    limit, used, cache = names
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": line,
            f"{base}/{limit}": f"{100 * MIB}\n",
            f"{base}/{used}": f"{70 * MIB}\n",
            f"{base}/memory.stat": f"anon 7\n{cache} {20 * MIB}\n",
        },
    )

    assert free_host_bytes(root) == 50 * MIB


def test_a_limit_around_the_group_holds_as_well(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/outer/inner\n",
            "sys/fs/cgroup/outer/inner/memory.max": "max\n",
            "sys/fs/cgroup/outer/inner/memory.current": "5\n",
            "sys/fs/cgroup/outer/memory.max": f"{8 * MIB}\n",
            "sys/fs/cgroup/outer/memory.current": f"{6 * MIB}\n",
        },
    )

    assert free_host_bytes(root) == 2 * MIB


def test_a_full_group_leaves_nothing(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": "100\n",
            "sys/fs/cgroup/memory.current": "120\n",
        },
    )

    assert free_host_bytes(root) == 0


def test_a_system_without_groups_is_asked_for_its_memory_alone(tmp_path: Path) -> None:
    assert free_host_bytes(tmp_path) > 0

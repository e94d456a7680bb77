"""What Slurm would be asked for; nothing is submitted."""

import subprocess
from pathlib import Path

import pytest

from lithoscope_services.settings import load_settings

pytest.importorskip("dask_jobqueue", reason="needs the extra cluster")

DEPLOY = Path(__file__).parents[3] / "deploy"


def test_a_worker_of_slurm_gets_what_the_settings_say_and_speaks_tls(tmp_path: Path) -> None:
    from lithoscope_services.reprocess.cluster import slurm_cluster

    settings = load_settings(DEPLOY / "slurm.toml").cluster
    settings = settings.model_copy(update={"slurm_interface": "lo"})

    with slurm_cluster(0, settings, tmp_path) as cluster:
        script = cluster.job_script()
        address = cluster.scheduler_address
        keys = list(tmp_path.iterdir())

    assert "#SBATCH --gres=gpu:1" in script
    assert "#SBATCH -p gpu" in script
    assert "--protocol tls://" in script
    assert address.startswith("tls://")
    assert keys
    assert all(path.stat().st_mode & 0o077 == 0 for path in keys)


def test_the_script_for_several_gpus_is_one_of_bash() -> None:
    script = DEPLOY / "dask-cuda.sh"

    read = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True)

    assert (read.returncode, read.stderr) == (0, "")
    assert script.read_text().startswith("#!/usr/bin/env bash\n")

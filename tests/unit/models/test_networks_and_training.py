"""Networks of the literature and their training; everything here needs PyTorch and MONAI."""

import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from layered_scans import layered_scan
from waiting import until

from lithoscope_models.data.cells import CellDraw
from lithoscope_models.data.files import experiment_folder, write_experiment
from lithoscope_models.errors import RecipeError
from lithoscope_models.model_file import load_card
from lithoscope_pipeline.labels import SegmentClass
from lithoscope_pipeline.networks import ARCHITECTURES, ModelInputs, build_network
from lithoscope_pipeline.phantom.provenance import SIMULATOR_VERSION

torch = pytest.importorskip("torch", reason="pip install 'lithoscope[train]' runs these tests")
pytest.importorskip("monai", reason="pip install 'lithoscope[train]' runs these tests")

LOSSES = ("cross-entropy", "balanced", "tversky", "focal-tversky", "mixed")
SLICE = ModelInputs(n_neighbours=0, has_previous=False, has_first=False, has_depth=False)
"""A network that looks at one slice of one scan."""


def _n_parameters(name: str) -> int:
    return sum(each.numel() for each in build_network(name, SLICE).parameters())


@pytest.fixture(autouse=True)
def quiet_libraries() -> None:
    # MONAI and Lightning warn of what their own dependencies will change.
    warnings.filterwarnings("ignore", module=r"(monai|lightning|torch)\..*")


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_network_gives_logits_for_every_pixel(name: str) -> None:
    network = build_network(name, ModelInputs()).eval()

    with torch.inference_mode():
        logits = network(torch.zeros(2, 15, 128, 128))

    assert tuple(logits.shape) == (2, len(SegmentClass), 128, 128)
    assert torch.isfinite(logits).all()


def test_sizes_stand_in_the_order_of_the_paper() -> None:
    """Y-Net somewhat above U-Net, TransforCNN about three times it, E-Net all of them."""
    sizes = {name: _n_parameters(name) for name in ("unet", "ynet", "transforcnn", "enet")}

    assert 1.0 < sizes["ynet"] / sizes["unet"] < 1.5
    assert 2.5 < sizes["transforcnn"] / sizes["unet"] < 3.5
    assert sizes["enet"] == sizes["unet"] + sizes["ynet"] + sizes["transforcnn"]


def test_the_default_is_monai_s_network_without_its_padding() -> None:
    """Which pads by nothing at the sizes that we allow, and copies all in doing so."""
    torch = pytest.importorskip("torch")
    from monai.networks.nets import BasicUNet

    from lithoscope_pipeline.networks.stream_unet import FEATURES, stream_unet

    torch.manual_seed(2)
    ours = stream_unet(5, 7).eval()
    theirs = BasicUNet(
        spatial_dims=2,
        in_channels=5,
        out_channels=7,
        features=FEATURES,
        act=("leakyrelu", {"negative_slope": 0.1}),
        norm="batch",
    ).eval()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 5, 48, 32)

    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), rtol=0.0, atol=0.0)


def test_the_default_is_small() -> None:
    assert (
        sum(each.numel() for each in build_network("stream-unet", ModelInputs()).parameters())
        < 5e5
    )


@pytest.mark.parametrize(("sampling", "gflop"), [("strided", 24.4), ("pooled", 124.9)])
def test_the_residual_network_costs_what_was_counted_for_it(sampling: str, gflop: float) -> None:
    """Counted elsewhere for patches of 512 x 512 and five classes, batch norm left out."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        network = build_network(
            "residual-unet", SLICE, n_classes=5, arguments={"sampling": sampling}
        ).eval()
        patch = torch.zeros(1, 1, 512, 512)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(patch)

    assert counter.get_total_flops() / 1e9 == pytest.approx(gflop, rel=0.02)


def test_a_voxel_does_not_depend_on_what_else_is_in_the_batch() -> None:
    torch.manual_seed(1)
    network = build_network("stream-unet", ModelInputs()).eval()
    x = torch.randn(3, 15, 64, 64)

    with torch.inference_mode():
        together, alone = network(x)[1:2], network(x[1:2])

    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "name", ["cross-entropy", "balanced", "tversky", "focal-tversky", "mixed"]
)
def test_unlabelled_voxels_have_no_gradient(name: str) -> None:
    from lithoscope_models.train.losses import make_loss

    logits = torch.randn(1, 7, 8, 8, requires_grad=True)
    classes = torch.randint(0, 7, (1, 8, 8))
    classes[:, :4] = 255

    make_loss(name, torch.ones(7) / 7)(logits, classes).backward()

    assert not logits.grad[:, :, :4].any()
    assert logits.grad[:, :, 4:].abs().sum() > 0


@pytest.mark.parametrize(
    "name", ["cross-entropy", "balanced", "tversky", "focal-tversky", "mixed"]
)
def test_a_right_answer_costs_less_than_a_wrong_one(name: str) -> None:
    from lithoscope_models.train.losses import make_loss

    classes = torch.arange(7).repeat(1, 8, 8)[:, :8, :14]
    right = 8.0 * torch.nn.functional.one_hot(classes, 7).movedim(-1, 1).float()
    loss = make_loss(name, torch.ones(7) / 7)

    assert loss(right, classes) < 0.1 * loss(-right, classes)


def test_temperature_is_found_again() -> None:
    """Logits that are three times too sure need a temperature of three."""
    from lithoscope_models.train.calibration import SeenLogits, find_temperature

    torch.manual_seed(2)
    logits = torch.randn(20000, 7)
    classes = torch.multinomial(logits.softmax(dim=1), 1)[:, 0]

    found = find_temperature(SeenLogits(logits=3.0 * logits, classes=classes))

    assert found == pytest.approx(3.0, rel=0.1)


def test_biases_give_each_class_its_volume() -> None:
    from lithoscope_models.train.calibration import SeenLogits, volume_biases

    torch.manual_seed(3)
    classes = torch.multinomial(torch.tensor([0.8, 0.15, 0.05]), 20000, replacement=True)
    logits = 2.0 * torch.nn.functional.one_hot(classes, 3) + torch.randn(20000, 3)
    logits[:, 2] += 0.7

    biases = volume_biases(SeenLogits(logits=logits, classes=classes))

    found = torch.bincount((logits + biases).max(dim=1).indices, minlength=3)
    torch.testing.assert_close(found.float(), torch.bincount(classes).float(), rtol=0.02, atol=0)


@pytest.mark.parametrize("name", ["stream-unet", "residual-unet", "unet", "ynet", "transforcnn"])
def test_biases_move_the_logits_and_nothing_else(name: str) -> None:
    from lithoscope_models.train.calibration import add_biases

    network = build_network(name, SLICE).eval()
    x, biases = torch.randn(1, 1, 128, 128), torch.linspace(-1, 1, 7)

    with torch.inference_mode():
        before = network(x)
    add_biases(network, biases)
    with torch.inference_mode():
        after = network(x)

    torch.testing.assert_close(after - before, biases.view(1, 7, 1, 1).expand_as(after))


RECIPE = """
name = "small"
architecture = "stream-unet"
arguments = { features = [4, 4, 8, 8, 8, 4] }
n_steps = 6
batch = 2
validate_every = 2
n_validation_slices = 1
averaging = 0.5
seed = 11
[samples]
patch_px = [32, 32]
[[training]]
size = "tiny"
seeds = [1]
scans = [0, 1]
[[validation]]
size = "tiny"
seeds = [2]
scans = [0, 1]
"""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe, with two experiments of flat layers where it looks for its data."""
    folder = tmp_path_factory.mktemp("training")
    (folder / "small.toml").write_text(RECIPE)
    for seed in (1, 2):
        draw = CellDraw(seed=seed, size="tiny")
        target = experiment_folder(folder / "data", draw, (0, 1), "chain")
        write_experiment(
            target, [layered_scan(i, lift_px=3 * i) for i in (0, 1)], told={"voxel_um": 4.5}
        )
    return folder


def _command(workplace: Path, out: str, *more: str) -> list[str]:
    given = ["train", str(workplace / "small.toml"), "--out", str(workplace / out)]
    data = ["--data", str(workplace / "data"), "--workers", "0"]
    return [sys.executable, "-m", "lithoscope_services.cli", "model", *given, *data, *more]


def _train(workplace: Path, out: str, *more: str) -> Path:
    subprocess.run(_command(workplace, out, *more), check=True, capture_output=True, timeout=300)
    return workplace / out


@pytest.fixture(scope="module")
def trained(workplace: Path) -> Path:
    return _train(workplace, "once")


def test_training_ends_with_a_model_its_curves_and_its_card(trained: Path) -> None:
    card = load_card(trained)

    assert card.training["n_steps"] == 6
    assert card.training["simulator_version"] == SIMULATOR_VERSION
    assert card.arguments == {"features": [4, 4, 8, 8, 8, 4]}
    assert len((trained / "curves.csv").read_text().splitlines()) == 4
    assert (trained / "curves.png").stat().st_size > 1000


def test_a_killed_training_ends_with_the_weights_of_one_that_was_not(
    workplace: Path, trained: Path
) -> None:
    """The same seed gives the same weights, with or without a kill on the way."""
    checkpoint = workplace / "killed" / "checkpoints" / "last.ckpt"
    with subprocess.Popen(
        _command(workplace, "killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        until(
            lambda: checkpoint.exists() or child.poll() is not None,
            timeout_s=240,
            what="a checkpoint",
        )
        child.send_signal(signal.SIGKILL)

    resumed = _train(workplace, "killed")

    weights = "model.safetensors"
    assert (resumed / weights).read_bytes() == (trained / weights).read_bytes()
    assert (resumed / "curves.csv").read_text() == (trained / "curves.csv").read_text()


def test_another_recipe_does_not_go_on_in_the_folder_of_the_first(
    workplace: Path, trained: Path
) -> None:
    weights = (trained / "model.safetensors").read_bytes()
    command = _command(workplace, trained.name, "--steps", "8")

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "a training by another recipe was begun here; give another folder" in done.stderr
    assert (trained / "model.safetensors").read_bytes() == weights


def test_a_recipe_that_is_not_there_is_one_line(workplace: Path) -> None:
    command = [sys.executable, "-m", "lithoscope_services.cli", "model", "train", "nothing"]

    done = subprocess.run(command, capture_output=True, text=True, cwd=workplace, check=False)

    assert done.returncode == 1
    assert "give a TOML file, or" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def _always(logits: tuple[float, float]) -> Any:  # a module of torch, which may be missing
    """Say the same of every pixel."""
    network = torch.nn.Conv2d(1, 2, 1)
    with torch.no_grad():
        network.weight.zero_()
        network.bias.copy_(torch.tensor(logits))
    return network


def test_an_ensemble_leaves_out_the_network_that_is_wrong() -> None:
    from lithoscope_models.train.ensemble import choose_weights

    slices = [(torch.zeros(1, 8, 8), torch.ones(8, 8, dtype=torch.int64))]
    networks = [_always((4.0, 0.0)), _always((0.0, 4.0)), _always((0.0, 0.1))]

    weights = choose_weights(networks, slices)

    assert sum(weights) == pytest.approx(1.0)
    assert weights[0] < 0.5 < weights[1] + weights[2]


def test_networks_of_one_kind_are_no_ensemble(tmp_path: Path) -> None:
    from lithoscope_models.train.ensemble import combine

    with pytest.raises(RecipeError, match="one each of unet, ynet, transforcnn"):
        combine(
            ["stream-unet"] * 3, tmp_path, data_folder=tmp_path, command="", tell=lambda _: None
        )

"""The runs of configs/demo_rgbd.py one after the other, as its docstring gives them."""

import ast
import shlex
from pathlib import Path

import jax
import pytest

from rgbd_jax.data.builders import synthetic_rgbd
from rgbd_jax.main import main
from rgbd_jax.training import sharding
from rgbd_jax.training.checkpoint_folders import resolve

CONFIG = Path(__file__).parents[1] / "configs" / "demo_rgbd.py"


def commands():
    """The arguments of each command, for the debug size of its config."""
    text = ast.get_docstring(ast.parse(CONFIG.read_text())).replace("\\\n", "")
    for line in text.splitlines():
        if line.startswith("python -m rgbd_jax.main "):
            config, *rest = shlex.split(line)[3:]
            path, _, variant = config.partition(":")
            assert path == "--config=configs/demo_rgbd.py"
            yield [f"--config={CONFIG}:{variant},debug", *rest]


@pytest.mark.slow
def test_each_run_starts_from_those_before_it(tmp_path, monkeypatch, capsys):
    """And says what it leaves: the heads of both modalities, in the fusion."""
    one_device = sharding.make_mesh(jax.devices()[:1])
    monkeypatch.setattr(sharding, "make_mesh", lambda devices=None, fsdp=1: one_device)
    monkeypatch.setattr(synthetic_rgbd, "CLIPS_PER_ACTION", {"train": 2, "test": 1})
    monkeypatch.chdir(tmp_path)
    said = []
    for arguments in commands():
        with jax.numpy_dtype_promotion("standard"):  # Optax's Adam counts its steps in integers
            main(arguments)
        said += [line for line in capsys.readouterr().err.splitlines() if line.startswith("starting from")]

    depth, rgb, fusion = (resolve(Path("runs") / f"demo_{name}") for name in ("depth", "rgb", "fusion"))
    assert all(int(checkpoint.name) == 2 for checkpoint in (depth, rgb, fusion))
    of_depth, of_trunks = said
    assert of_depth == f"starting from {depth}; 0 arrays start fresh; 0 arrays are not used"
    fresh, _, unused = of_trunks.removeprefix(f"starting from {rgb} and {depth}; ").partition(
        " start fresh; "
    )
    for kept in ("heads/rgb/", "heads/depth/", "autoencoder/", "frame_interaction/", "modality/"):
        assert kept in fresh
    assert "trunks/" not in fresh
    heads = [
        f"trunks/{modality}/heads/{branch}/{array}"
        for modality in ("depth", "rgb")
        for branch in ("large", "media", "small")
        for array in ("dense/bias", "dense/kernel", "norm/bias", "norm/scale")
    ]
    assert unused == f"24 arrays ({', '.join(heads)}) are not used"

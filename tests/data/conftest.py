"""A small NW-UCLA folder with known content, and records made from it."""

import json
from pathlib import Path

import numpy as np
import pytest

from rgbd_jax.data.builders.nw_ucla import ACTIONS, NwUcla


def write(folder: Path, name: str, joints: np.ndarray, **changes) -> Path:
    """Write a JSON file as NW-UCLA has them; `changes` replace keys of it."""
    path = folder / "all_sqe" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    label = list(ACTIONS).index(int(name[1:3])) + 1 if int(name[1:3]) in ACTIONS else 0
    content = {"file_name": name, "label": label, "skeletons": joints.tolist()} | changes
    path.write_text(json.dumps(content))
    return path


@pytest.fixture(scope="session")
def write_clip():
    return write


@pytest.fixture(scope="session")
def small_source(tmp_path_factory):
    """Seven training clips (views 1 and 2) and five test clips (view 3), each of another length from 1 on."""
    folder = tmp_path_factory.mktemp("nw_ucla")
    rng = np.random.default_rng(0)
    names = [f"a{action:02d}_s01_e00_v01" for action in (1, 2, 3, 8)]
    names += [f"a{action:02d}_s02_e01_v02" for action in (4, 11, 12)]
    names += [f"a{action:02d}_s03_e00_v03" for action in (1, 5, 6, 9, 12)]
    for number, name in enumerate(sorted(names)):
        write(folder, name, rng.normal(size=(1 + 3 * number, 20, 3)))
    return folder


@pytest.fixture(scope="session")
def small_data(small_source, tmp_path_factory):
    """The folder of the records made from `small_source`."""
    folder = tmp_path_factory.mktemp("data")
    NwUcla(data_dir=folder, source=small_source).prepare()
    return folder

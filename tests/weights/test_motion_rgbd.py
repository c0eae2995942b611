"""Every tensor of the published RGB-D networks has one place in ours."""

import functools
import json
import re
from pathlib import Path

import pytest

from rgbd_jax.weights.layer_rules import IGNORED
from rgbd_jax.weights.motion_rgbd import FUSIONNET, I3DWTRANS

TABLES = {"i3dwtrans": I3DWTRANS, "fusionnet": FUSIONNET}


@functools.cache
def manifest(network):
    path = Path(__file__).parents[1] / "golden" / "spec" / f"motion_{network}_manifest.json"
    return json.loads(path.read_text())


@pytest.mark.parametrize("network", TABLES)
def test_one_rule_for_each_tensor(network):
    names = [name for name, _, _ in manifest(network)["entries"]]
    assert len(names) == manifest(network)["state_dict_entries"]
    patterns = [rule.pattern for rule in TABLES[network]]
    for name in names:
        hits = sum(re.fullmatch(pattern, name) is not None for pattern in patterns)
        ignored = any(re.fullmatch(pattern, name) for pattern in IGNORED)
        assert hits == (not ignored), name

"""What devices can do at most."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest

from rgbd_jax.training import sharding
from rgbd_jax.training.device_peak import PUBLISHED, peak_of


def test_a_known_gpu_has_what_is_published_times_their_number():
    gpus = np.full((4, 1), SimpleNamespace(device_kind="NVIDIA H200"))
    peak = peak_of(SimpleNamespace(devices=gpus, size=4), "bfloat16")
    assert (peak.flops_per_s, peak.source) == (4 * 989.4e12, "published")


def test_every_gpu_of_the_table_does_twice_as_much_in_half_of_the_bits():
    """As tensor cores do: a figure of half-empty matrices beside one of full ones would stand out."""
    assert {set(peaks) == {"bfloat16", "float32"} for peaks in PUBLISHED.values()} == {True}
    for peaks in PUBLISHED.values():
        assert peaks["bfloat16"] / peaks["float32"] == pytest.approx(2, rel=0.02)


@pytest.mark.parametrize("devices", [1, 8])
def test_a_cpu_is_measured(devices):
    peak = peak_of(sharding.make_mesh(jax.devices()[:devices]), "float32")
    assert peak.source == "measured"
    assert 1e8 < peak.flops_per_s < 1e14

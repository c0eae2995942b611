"""Tables of rules read from our side give back what they were read with, to the bit."""

import numpy as np
import pytest
from flax import nnx
from golden.motion_networks import port
from golden.weights import golden_array
from test_rules import IGNORED, RULES, tensors, template
from weight_files import clip_tensors

from rgbd_jax.errors import UserError
from rgbd_jax.models.clip_text import CLIPText, CLIPTextSize
from rgbd_jax.models.inception import InceptionBlock
from rgbd_jax.models.recoupling import Recoupling
from rgbd_jax.weights import clip_text
from rgbd_jax.weights.inverse import invert
from rgbd_jax.weights.motion_rgbd import inception_rules
from rgbd_jax.weights.rules import Layout, Rule, convert


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor, err_msg=name)
        assert (found[name].shape, found[name].dtype) == (tensor.shape, tensor.dtype), name

import numpy as np
import pytest

from rgbd_jax.models.i3dwtrans import sharpness_temperature


@pytest.mark.parametrize("epochs", [100, 300])
def test_temperature(golden, epochs):
    published = golden("motion/schedules.npz")[f"temperature.{epochs}_0.04_0.07"]
    np.testing.assert_allclose(sharpness_temperature(np.arange(epochs), epochs), published, rtol=1e-6)

"""Several networks as one: each has its own input, and nothing passes between them."""

from collections.abc import Mapping
from typing import Any

import jax
from flax import nnx


class SideBySide(nnx.Module):
    """Networks by name, each of which does what it would do alone."""

    def __init__(self, networks: Mapping[str, nnx.Module]):
        self.networks = nnx.Dict(networks)

    def __call__(
        self, inputs: Mapping[str, Any], *, train: bool, rngs: nnx.Rngs | None = None
    ) -> dict[str, dict[str, jax.Array]]:
        """What each network returns for the input of its name.

        Args:
          inputs: by the names of the networks.
          train: see the networks.
          rngs: every network draws from a copy, so that none changes what another draws.
        """
        return {
            name: network(inputs[name], train=train, rngs=None if rngs is None else nnx.clone(rngs))
            for name, network in self.networks.items()
        }

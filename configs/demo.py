"""A small CTR-GCN on the synthetic motions: tells ten actions apart after a minute or so on two CPU cores.

python -m rgbd_jax.main --config=configs/demo.py --workdir=runs/demo
"""

from ml_collections import ConfigDict

from rgbd_jax.defaults import debug, synthetic_skeleton_config
from rgbd_jax.errors import UserError


def get_config(variant: str = "") -> ConfigDict:
    if variant not in ("", "debug"):
        raise UserError(f"variant {variant!r}: allowed is debug")
    config = synthetic_skeleton_config()
    config.log_every = 5
    return debug(config) if variant else config

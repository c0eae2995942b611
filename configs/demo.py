"""A small CTR-GCN on the synthetic motions: tells ten actions apart after a minute or so on two CPU cores.

python -m rgbd_jax.main --config=configs/demo.py --workdir=runs/demo
"""

from ml_collections import ConfigDict

from rgbd_jax.defaults import debug, skeleton_config
from rgbd_jax.errors import UserError


def get_config(variant: str = "") -> ConfigDict:
    if variant not in ("", "debug"):
        raise UserError(f"variant {variant!r}: allowed is debug")
    config = skeleton_config()
    config.batch_size = 16
    config.num_epochs = 6
    config.log_every = 5
    config.data.name = "synthetic"

    config.task.window = 16
    config.model.num_persons = 1
    config.model.base_width = 16
    config.model.stages = (2, 1, 1)

    config.optimizer.weight_decay = 4e-4
    config.schedule.name = "cosine"
    config.schedule.base_lr = 0.1
    config.schedule.reference_batch = 32
    config.schedule.warm_up = 0.1
    config.schedule.per = "step"
    return debug(config) if variant else config

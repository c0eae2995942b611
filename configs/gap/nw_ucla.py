"""Skeletons of Northwestern-UCLA Multiview Action 3D: trained on views 1 and 2, tested on view 3.

python -m rgbd_jax.prepare nw_ucla --source=NW-UCLA --data_dir=data
python -m rgbd_jax.main --config=configs/gap/nw_ucla.py:joint,plain --workdir=runs/nw_ucla_joint

`plain` is CTR-GCN (ICCV 2021) with cross entropy alone. Published: 96.5 % top-1 for the ensemble of its four
streams.
"""

from ml_collections import ConfigDict

from rgbd_jax.defaults import STREAMS, debug, skeleton_config, split_variant
from rgbd_jax.errors import UserError


def get_config(variant: str = "joint,plain") -> ConfigDict:
    stream, flags = split_variant(variant, one_of=STREAMS, flags=("plain", "debug"))
    if "plain" not in flags:
        raise UserError(f"variant {variant!r}: training with text is not there yet; write {stream},plain")
    config = skeleton_config()
    config.batch_size = 64
    config.num_epochs = 110
    config.data.name = "nw_ucla"
    config.data.repeat = 5

    config.task.feeder = "ucla"
    config.task.stream = stream
    config.task.window = 52
    config.model.layout = "ucla20"
    config.model.num_persons = 1

    config.optimizer.weight_decay = 4e-4
    config.schedule.base_lr = 0.2
    config.schedule.warm_up = 5 / 110
    config.schedule.steps = (90 / 110, 100 / 110)
    return debug(config) if "debug" in flags else config

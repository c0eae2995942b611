"""Skeletons of NTU RGB+D, 60 classes, cross-subject: 40,091 training and 16,487 test clips.

python -m rgbd_jax.bench --config=configs/gap/ntu60_xsub.py:joint,plain

`plain` is CTR-GCN (ICCV 2021) with cross entropy alone. Published: 92.4 % top-1 for the ensemble of its four
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
    config.num_epochs = 65
    config.data.name = "ntu60"
    config.data.train_split = "xsub_train"
    config.data.eval_split = "xsub_test"
    config.task.stream = stream

    config.optimizer.weight_decay = 4e-4
    config.schedule.base_lr = 0.1
    config.schedule.warm_up = 5 / 65
    config.schedule.steps = (35 / 65, 55 / 65)
    return debug(config) if "debug" in flags else config

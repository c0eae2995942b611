"""Skeletons of Northwestern-UCLA Multiview Action 3D: trained on views 1 and 2, tested on view 3.

python -m rgbd_jax.prepare nw_ucla --source=NW-UCLA --data_dir=data
python -m rgbd_jax.main --config=configs/gap/nw_ucla.py:joint --workdir=runs/nw_ucla_joint

GAP (ICCV 2023); `plain` after the stream is CTR-GCN (ICCV 2021) without text; the stream `all` trains the
four in one run. Published top-1 of their ensemble: 97.2 % and 96.5 %.
"""

from ml_collections import ConfigDict

from rgbd_jax.defaults import debug, skeleton_variant


def get_config(variant: str = "") -> ConfigDict:
    config, flags = skeleton_variant(variant)
    config.batch_size = 64
    config.num_epochs = 110
    config.data.name = "nw_ucla"
    config.data.repeat = 5

    config.task.feeder = "ucla"
    config.task.window = 52
    config.model.layout = "ucla20"
    config.model.num_persons = 1

    config.optimizer.weight_decay = 4e-4
    config.schedule.base_lr = 0.2
    config.schedule.warm_up = 5 / 110
    config.schedule.steps = (90 / 110, 100 / 110)
    return debug(config) if "debug" in flags else config

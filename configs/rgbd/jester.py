"""Jester, 27 gestures before a laptop's camera, colour alone: what the smaller data sets start from.

python -m rgbd_jax.prepare jester --source=jester --data_dir=data
python -m rgbd_jax.main --config=configs/rgbd/jester.py:rgb --workdir=runs/jester_rgb

The weights of such a run start another with --config.init_from=runs/jester_rgb.
"""

from ml_collections import ConfigDict

from rgbd_jax.defaults import debug, rgbd_variant


def get_config(variant: str = "") -> ConfigDict:
    config, small = rgbd_variant(variant, modalities=("rgb",))
    config.batch_size = config.eval_batch_size = 16
    config.data.name = "jester"
    config.data.eval_split = "valid"

    config.task.resize = (256, 256)
    config.task.flip = 0.0
    config.task.distillation_from = 0.0
    config.task.distillation_batch = 2
    config.model.temper = 0.4
    config.model.knn_ratio = 0.8

    config.schedule.reference_batch = 16
    config.schedule.warm_up = 0.0
    return debug(config) if small else config

r"""A data set of one's own with few clips, from the weights of another (docs/own_data.md).

python -m rgbd_jax.prepare custom --source=my_videos --split=random --data_dir=data
python -m rgbd_jax.main --config=configs/rgbd/fine_tune.py:rgb --workdir=runs/fine_tune_rgb \
    --config.init_from=runs/ntu_cs_rgb
python -m rgbd_jax.main --config=configs/rgbd/fine_tune.py:depth --workdir=runs/fine_tune_depth \
    --config.init_from=runs/ntu_cs_depth
python -m rgbd_jax.main --config=configs/rgbd/fine_tune.py:fusion --workdir=runs/fine_tune_fusion \
    --config.init_from= "--config.init_trunks=('runs/fine_tune_rgb', 'runs/fine_tune_depth')"

The head for other classes starts fresh; the norms keep the statistics that come with the weights, as a few
clips have no better ones; the few steps that a few clips make are small ones of Adam. `config.model` must be
that of the weights.
"""

from ml_collections import ConfigDict

from rgbd_jax.defaults import debug, rgbd_variant


def get_config(variant: str = "") -> ConfigDict:
    config, small = rgbd_variant(variant)
    config.batch_size = config.eval_batch_size = 8
    config.num_epochs = 30
    config.data.name = "custom"
    config.task.depth_levels = "scaled"
    config.optimizer.name = "adam"
    config.optimizer.weight_decay = 0.0
    config.schedule.base_lr = 0.0003
    config.schedule.reference_batch = 8
    config.schedule.per = "step"
    if small:
        return debug(config)
    config.init_from = "runs/start"  # to be replaced
    config.frozen_norm = True
    return config

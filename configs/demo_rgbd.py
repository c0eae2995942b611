"""Small I3DWTrans and FusionNet on synthetic colour and depth video of ten actions.

python -m rgbd_jax.main --config=configs/demo_rgbd.py:rgb --workdir=runs/demo_rgb
python -m rgbd_jax.main --config=configs/demo_rgbd.py:depth --workdir=runs/demo_depth
python -m rgbd_jax.main --config=configs/demo_rgbd.py:fusion --workdir=runs/demo_fusion
"""

from ml_collections import ConfigDict

from rgbd_jax.defaults import debug, rgbd_variant


def get_config(variant: str = "rgb") -> ConfigDict:
    config, small = rgbd_variant(variant)
    config.batch_size = config.eval_batch_size = 20
    config.num_epochs = 8
    config.log_every = 5
    config.data.name = "synthetic_rgbd"
    config.data.num_frames = 12

    config.task.resize = (32, 32)
    config.task.crop = 32
    config.task.size = 32
    config.task.flip = 0.0
    config.task.depth_levels = "scaled"
    config.task.depth_range = (1500, 4500)
    config.task.rank_pooling = 4
    config.task.distillation_batch = 1
    config.model.width = 0.25
    config.model.num_blocks = 1
    config.model.frames = (4, 6, 8)

    config.schedule.base_lr = 0.02
    config.schedule.reference_batch = 20
    config.schedule.warm_up = 0.1
    config.schedule.per = "step"
    return debug(config) if small else config

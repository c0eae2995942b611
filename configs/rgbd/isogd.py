r"""IsoGD (ChaLearn LAP), 249 gestures: 35,878 training (MotionRGBD: 35,876) and 5,784 validation clips.

python -m rgbd_jax.prepare isogd --source=IsoGD --data_dir=data
python -m rgbd_jax.main --config=configs/rgbd/isogd.py:rgb --workdir=runs/isogd_rgb \
    --config.init_from=runs/jester_rgb
python -m rgbd_jax.main --config=configs/rgbd/isogd.py:depth --workdir=runs/isogd_depth \
    --config.init_from=runs/jester_rgb
python -m rgbd_jax.main --config=configs/rgbd/isogd.py:fusion --workdir=runs/isogd_fusion \
    "--config.init_trunks=('runs/isogd_rgb', 'runs/isogd_depth')"

runs/jester_rgb is a run of configs/rgbd/jester.py. Published, after this pre-training: 60.9 % top-1 for
`rgb`, 60.2 % for `depth`, 66.8 % for `fusion`.
"""

from ml_collections import ConfigDict

from rgbd_jax.defaults import debug, rgbd_variant


def get_config(variant: str = "") -> ConfigDict:
    config, small = rgbd_variant(variant)
    config.batch_size = config.eval_batch_size = 48
    config.num_epochs = 300
    config.data.name = "isogd"
    config.data.eval_split = "valid"

    config.task.resize = (256, 256)
    config.task.flip = 0.0
    if config.task.name == "rgbd":
        config.task.distillation_from = 2 / 300
    config.task.distillation_batch = 6

    config.schedule.name = "plateau"
    config.schedule.reference_batch = 48
    config.schedule.warm_up = 3 / 300
    return debug(config) if small else config

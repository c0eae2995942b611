r"""NVGesture, 25 gestures of a driver's hand: 1,050 training and 482 test clips.

python -m rgbd_jax.prepare nvgesture --source=nvGesture_v1 --data_dir=data
python -m rgbd_jax.main --config=configs/rgbd/nvgesture.py:rgb --workdir=runs/nvgesture_rgb \
    --config.init_from=runs/jester_rgb
python -m rgbd_jax.main --config=configs/rgbd/nvgesture.py:depth --workdir=runs/nvgesture_depth \
    --config.init_from=runs/jester_rgb
python -m rgbd_jax.main --config=configs/rgbd/nvgesture.py:fusion --workdir=runs/nvgesture_fusion \
    "--config.init_trunks=('runs/nvgesture_rgb', 'runs/nvgesture_depth')"

runs/jester_rgb is a run of configs/rgbd/jester.py. Published, after this pre-training: 89.6 % top-1 for
`rgb`, 90.6 % for `depth`, 91.7 % for `fusion`.
"""

from ml_collections import ConfigDict

from rgbd_jax.defaults import debug, rgbd_variant


def get_config(variant: str = "") -> ConfigDict:
    config, small = rgbd_variant(variant)
    config.data.name = "nvgesture"

    config.task.resize = (256, 256)
    config.task.crop_rule = "nvgesture"
    config.task.flip = 0.0
    config.task.rank_pooling = 4
    config.model.temper = 0.4
    return debug(config) if small else config

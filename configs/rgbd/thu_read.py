r"""THU-READ, 40 actions seen by their performer: 720 training and 240 test clips; protocol 2 of four.

python -m rgbd_jax.prepare thu_read --source=THU-READ --data_dir=data
python -m rgbd_jax.main --config=configs/rgbd/thu_read.py:rgb --workdir=runs/thu_read_rgb \
    --config.init_from=runs/jester_rgb
python -m rgbd_jax.main --config=configs/rgbd/thu_read.py:depth --workdir=runs/thu_read_depth \
    --config.init_from=runs/jester_rgb
python -m rgbd_jax.main --config=configs/rgbd/thu_read.py:fusion --workdir=runs/thu_read_fusion \
    "--config.init_trunks=('runs/thu_read_rgb', 'runs/thu_read_depth')"

runs/jester_rgb is a run of configs/rgbd/jester.py. Published, after this pre-training, mean over the
protocols: 81.3 % top-1 for `rgb`, 77.9 % for `depth`, 87.0 % for `fusion`.
"""

from ml_collections import ConfigDict

from rgbd_jax.defaults import debug, rgbd_variant


def get_config(variant: str = "") -> ConfigDict:
    config, small = rgbd_variant(variant)
    config.batch_size = config.eval_batch_size = 48
    config.data.name = "thu_read"
    config.data.train_split = "cs2_train"
    config.data.eval_split = "cs2_test"

    config.task.crop = 200
    config.task.rotated = 0.8
    config.task.angles = (-45, 45)
    config.task.distillation_batch = 6
    config.schedule.reference_batch = 48
    return debug(config) if small else config

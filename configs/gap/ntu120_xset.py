"""Skeletons of NTU RGB+D 120, 120 classes, cross-setup: 54,468 training and 59,477 test clips.

python -m rgbd_jax.prepare ntu120 --source=nturgb+d_skeletons --data_dir=data
python -m rgbd_jax.main --config=configs/gap/ntu120_xset.py:joint --workdir=runs/ntu120_xset_joint

GAP (ICCV 2023); `plain` after the stream is CTR-GCN (ICCV 2021) without text; the stream `all` trains the
four in one run. Published top-1 of their ensemble: 91.1 % and 90.6 %.
"""

from ml_collections import ConfigDict

from rgbd_jax.defaults import ntu_skeleton_variant


def get_config(variant: str = "") -> ConfigDict:
    return ntu_skeleton_variant(variant, "ntu120", "xset")

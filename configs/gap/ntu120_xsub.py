"""Skeletons of NTU RGB+D 120, 120 classes, cross-subject: 63,026 training and 50,919 test clips.

python -m rgbd_jax.prepare ntu120 --source=nturgb+d_skeletons --data_dir=data
python -m rgbd_jax.main --config=configs/gap/ntu120_xsub.py:joint --workdir=runs/ntu120_xsub_joint

GAP (ICCV 2023); `plain` after the stream is CTR-GCN (ICCV 2021) without text; the stream `all` trains the
four in one run. Published top-1 of their ensemble: 89.9 % and 88.9 %.
"""

from ml_collections import ConfigDict

from rgbd_jax.defaults import ntu_skeleton_variant


def get_config(variant: str = "") -> ConfigDict:
    return ntu_skeleton_variant(variant, "ntu120", "xsub")

"""Skeletons of NTU RGB+D 60, 60 classes, cross-view: 37,646 training and 18,932 test clips.

python -m rgbd_jax.prepare ntu60 --source=nturgb+d_skeletons --data_dir=data
python -m rgbd_jax.main --config=configs/gap/ntu60_xview.py:joint --workdir=runs/ntu60_xview_joint

GAP (ICCV 2023); `plain` after the stream is CTR-GCN (ICCV 2021) without text; the stream `all` trains the
four in one run. Published top-1 of their ensemble: 97.0 % and 96.8 %.
"""

from ml_collections import ConfigDict

from rgbd_jax.defaults import ntu_skeleton_variant


def get_config(variant: str = "") -> ConfigDict:
    return ntu_skeleton_variant(variant, "ntu60", "xview")

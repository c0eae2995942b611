"""Pictures, drawn without a display and without matplotlib's global state. In them all counting is from 1."""

from rgbd_jax.report.pictures.attention import attention_picture, enhancement_picture, similarity_picture
from rgbd_jax.report.pictures.classes import accuracy_precision_picture
from rgbd_jax.report.pictures.confusion import confusion_picture
from rgbd_jax.report.pictures.curves import curves_picture
from rgbd_jax.report.pictures.frames import activation_picture, feature_map_picture, rank_pooling_picture
from rgbd_jax.report.pictures.joints import joint_activation_picture
from rgbd_jax.report.pictures.labels import save, verbatim
from rgbd_jax.report.pictures.skeletons import motion_picture, skeleton_picture

__all__ = [
    "accuracy_precision_picture",
    "activation_picture",
    "attention_picture",
    "confusion_picture",
    "curves_picture",
    "enhancement_picture",
    "feature_map_picture",
    "joint_activation_picture",
    "motion_picture",
    "rank_pooling_picture",
    "save",
    "similarity_picture",
    "skeleton_picture",
    "verbatim",
]

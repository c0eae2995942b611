"""What is drawn of a clip of one modality and of what a trunk of the RGB-D networks makes of it."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from rgbd_jax.models.temporal_network import BRANCHES
from rgbd_jax.preprocess.video import to_levels
from rgbd_jax.report import pictures
from rgbd_jax.report.pictures.attention import head_similarity

Arrays = Mapping[str, np.ndarray]


def clip_pictures(inputs: Arrays, outputs: Arrays, sample: int) -> dict[str, Figure]:
    """The pictures of one sample, by the name of their file.

    Args:
      inputs: clip (B, T, H, W, 3) and, with rank pooling, heat (B, T, H, W, 1).
      outputs: mixed_4b, mixed_5c, attention_small, _media, _large and, with recoupling, enhancement, as
        `I3DWTrans` returns them.
      sample: its place in the batch.

    Returns:
      cam, mixed_4b, attention, attention_similarity; and, where there is what they show, rank_pooling and
      enhancement.
    """
    frames = to_levels(inputs["clip"][sample])
    attention = {name: outputs[f"attention_{name}"][sample] for name in BRANCHES}
    found = {
        "cam": pictures.activation_picture(frames, outputs["mixed_5c"][sample]),
        "mixed_4b": pictures.feature_map_picture(outputs["mixed_4b"][sample]),
        "attention": pictures.attention_picture(attention),
        "attention_similarity": mean_similarity_picture(outputs, [sample]),
    }
    if "heat" in inputs:
        heat = inputs["heat"][sample, ..., 0]
        found["rank_pooling"] = pictures.rank_pooling_picture(frames, heat)
    if "enhancement" in outputs:
        found["enhancement"] = pictures.enhancement_picture(outputs["enhancement"][sample])
    return found


def mean_similarity_picture(outputs: Arrays, samples: list[int] | range) -> Figure:
    """How alike the heads of all branches attend, on average over some samples of a batch."""
    mean = np.mean(
        [
            head_similarity({name: outputs[f"attention_{name}"][sample] for name in BRANCHES})
            for sample in samples
        ],
        axis=0,
    )
    heads = {name: outputs[f"attention_{name}"].shape[1] for name in BRANCHES}
    title = "how alike the heads attend" + (f", mean over {len(samples)} samples" if len(samples) > 1 else "")
    return pictures.similarity_picture(mean, heads, title)

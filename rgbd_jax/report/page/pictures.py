"""The section of what the network saw: the pictures of an evaluation, shrunk and made part of the page."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from rgbd_jax.report.metrics import NO_CLASS, predictions, sureness
from rgbd_jax.report.page.markup import Html, element, joined, percent, scrolling
from rgbd_jax.report.scores import Scores

_MOST_PIXELS = 1400  # of the longer side
_QUALITY = 80  # of WebP
_WIDE = 1.6  # width by height from which on a picture has a row for itself
_MOST_BYTES = 6_000_000  # of all pictures, before base64 makes them a third larger

# What the page shows in its own way.
_SHOWN_ELSEWHERE = ("curves.png", "accuracy_precision.png")
_CAPTIONS = {
    "attention": "attention of each head of the three temporal branches",
    "attention_similarity": "how alike the heads attend (cosine similarity)",
    "cam": "activation maps over the frames",
    "enhancement": "weights that the recoupling module gives to each feature in each frame",
    "joint_activation": "joint saliency: how much each joint speaks for the class found (class activation)",
    "mixed_4b": "feature maps after mixed_4b",
    "motion": "change of each joint or bone from frame to frame",
    "rank_pooling": "frames and their heat maps of rank pooling",
    "skeleton": "the clip as the network reads it",
}


class DrawnSample(NamedTuple):
    """A sample that was drawn: its id and the folder of its pictures."""

    id: str
    folder: Path


def pictures_section(folder: Path, samples: Sequence[DrawnSample], scores: Scores) -> Html:
    """The pictures of the samples, what is known of each above them, then those of all samples together.

    Args:
      folder: of all pictures; those directly in it are of all samples.
      samples: in the order of the page.

    Returns:
      The section. Pictures that would make the page too large are named instead.
    """
    if not samples:
        return element("p", "No sample was drawn.")
    budget = _Budget(_MOST_BYTES)
    parts = []
    for number, sample in enumerate(samples):
        figures = [
            _figure(path, folder, sample.folder, budget) for path in sorted(sample.folder.rglob("*.png"))
        ]
        heading = element("summary", element("code", sample.id), " ", _outcome(sample.id, scores))
        parts.append(
            element(
                "details",
                heading,
                element("div", *figures, class_="pictures"),
                class_="sample",
                open=True if number == 0 else None,
            )
        )
    common = [path for path in sorted(folder.glob("*.png")) if path.name not in _SHOWN_ELSEWHERE]
    if common:
        parts.append(element("h3", "All drawn samples together"))
        figures = (_figure(path, folder, folder, budget) for path in common)
        parts.append(element("div", *figures, class_="pictures"))
    return joined(parts)


def _outcome(sample_id: str, scores: Scores) -> Html:
    (row,) = np.flatnonzero(scores.ids == sample_id)
    own, names = scores.take(np.array([row])), scores.class_names
    (label,), (predicted,), (sure,) = own.labels, predictions(own), map(percent, sureness(own))
    if predicted == len(names):
        return element("span", f"{names[label]}, scores {NO_CLASS}", class_="wrong")
    if label == predicted:
        return element("span", f"{names[label]}, recognised with {sure}", class_="right")
    return element("span", f"{names[label]}, taken for {names[predicted]} with {sure}", class_="wrong")


class _Budget:
    """How many bytes of pictures there may still be."""

    def __init__(self, left: int):
        self._left = left

    def takes(self, size: int) -> bool:
        fits = size <= self._left
        self._left -= size if fits else 0
        return fits


def _figure(path: Path, folder: Path, own: Path, budget: _Budget) -> Html:
    """A picture of those in `own`, which is or is in the folder of all."""
    *inner, name = path.relative_to(own).with_suffix("").parts
    caption = ": ".join((*inner, _caption(name)))
    picture, size = _shrunk(path)
    if not budget.takes(len(picture)):
        place = path.relative_to(folder.parent).as_posix()
        return element("p", f"{caption}: left out to keep this page small; see {place}", class_="note")
    width, height = size
    source = f"data:image/webp;base64,{base64.b64encode(picture).decode()}"
    image = element("img", src=source, width=width, height=height, alt=caption)
    is_wide = width > _WIDE * height
    if not is_wide:
        return element("figure", image, element("figcaption", caption))
    return element("figure", scrolling(image, caption), element("figcaption", caption), class_="wide")


def _caption(name: str) -> str:
    """Of fusion, the common pictures begin with the modality."""
    if name in _CAPTIONS:
        return _CAPTIONS[name]
    modality, _, rest = name.partition("_")
    return f"{modality}: {_CAPTIONS[rest]}" if rest in _CAPTIONS else name


def _shrunk(path: Path) -> tuple[bytes, tuple[int, int]]:
    with Image.open(path) as image:
        picture = image.convert("RGB")
    picture.thumbnail((_MOST_PIXELS, _MOST_PIXELS))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=_QUALITY)
    return buffer.getvalue(), picture.size

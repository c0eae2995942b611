"""Vectors of prompts: computed once by a sentence encoder, kept in a file, checked when they are used.

A file of features (.npz) has `encoder` (its name), `hashes` (of each text) and `vectors` (N, D), in float16,
which keeps three decimals of a cosine. It fits prompts whose every text is in it: one that is edited makes it
stale, one that is removed or moved does not.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from rgbd_jax.array_archive import ArrayArchive, Damaged
from rgbd_jax.errors import UserError
from rgbd_jax.text.prompts import SHIPPED, Prompts

_ARRAYS = ("encoder", "hashes", "vectors")
_REMAKE = "`python -m rgbd_jax.embed` makes it anew"


def feature_file(source: str) -> Path:
    """The file that comes with the package for the data set `source`, or `source` itself, a path.

    Those that come with the package were made by all-MiniLM-L6-v2: 384 wide, of length 1.
    """
    return (
        Path(__file__).with_name("features") / f"{SHIPPED[source]}.npz" if source in SHIPPED else Path(source)
    )


def encoder_name(encoder: str) -> str:
    """What an encoder is called, given by its name on a hub or its folder: the last part."""
    return Path(encoder).absolute().name


def embed(texts: Sequence[str], encoder: str) -> np.ndarray:
    """Vectors (N, D), float32, of texts.

    Args:
      encoder: a model of sentence-transformers, by name or local folder.

    Raises:
      UserError: if sentence-transformers is not installed, or the model is not to be had.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise UserError(
            f"encoder {encoder}: sentence-transformers cannot be imported ({error});"
            " `bash launch/environment.sh torch` installs it"
        ) from error
    try:
        model = SentenceTransformer(encoder, device="cpu")
    except (OSError, ValueError, RuntimeError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UserError(
            f"encoder {encoder}: cannot be loaded ({reason}); give the name of a sentence-transformers model"
            " where there is a network, or the folder of one that is there already"
        ) from error
    return np.asarray(model.encode(list(texts), show_progress_bar=True), np.float32)


def write_features(file: Path | IO[bytes], texts: Sequence[str], vectors: np.ndarray, encoder: str) -> None:
    """Write the vectors (N, D) of N texts."""
    np.savez_compressed(
        file,
        encoder=np.asarray(encoder_name(encoder), np.str_),
        hashes=np.asarray(_hashes(texts), np.str_),
        vectors=vectors.astype(np.float16),
    )


def read_features(path: Path, prompts: Prompts, *, encoder: str = "", width: int | None = None) -> np.ndarray:
    """The vectors (N, D), float32, of `prompts.texts`.

    Args:
      encoder: that they must come from; empty allows any.
      width: D that is needed; None allows any.

    Raises:
      UserError: if it is no file of features, is from another encoder or of another width, or lacks a text.
    """
    arrays = _read_arrays(path)
    hashes, vectors, found = arrays["hashes"], arrays["vectors"], str(arrays["encoder"])
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or hashes.shape != vectors.shape[:1]:
        raise UserError(
            f"{path}: found vectors {vectors.dtype} {vectors.shape} for hashes {hashes.shape}; one vector for"
            " each hash is needed"
        )
    if encoder and found != encoder_name(encoder):
        raise UserError(
            f"{path}: is from the encoder {found}; {encoder_name(encoder)} is asked for; {_REMAKE}"
        )
    if width is not None and vectors.shape[1] != width:
        raise UserError(
            f"{path}: has vectors {vectors.shape[1]} wide, from the encoder {found}; {width} is needed;"
            f" {_REMAKE}"
        )
    rows = {str(digest): row for row, digest in enumerate(hashes)}
    needed = dict(zip(_hashes(prompts.texts), prompts.texts, strict=True))
    if stale := [text for digest, text in needed.items() if digest not in rows]:
        raise UserError(
            f"{path}: was made from other prompts; lacks {len(stale)} of the {len(needed)} texts of"
            f" {prompts.place}, the first is {stale[0]!r}; {_REMAKE}"
        )
    chosen = vectors[[rows[digest] for digest in needed]].astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # is not finite then
        lengths = np.linalg.norm(chosen, axis=1)
    if not np.all(np.isfinite(lengths) & (lengths > 0)):
        raise UserError(f"{path}: has vectors that are 0 or not finite; {_REMAKE}")
    return chosen


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with ArrayArchive(path) as archive:
            arrays = {name: archive.read(name) for name in _ARRAYS if name in archive}
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file of features; {_REMAKE}") from None
    except (OSError, Damaged) as error:
        raise UserError(
            f"{path}: is no file of features (.npz with {', '.join(_ARRAYS)}): {error}"
        ) from error
    if missing := [name for name in _ARRAYS if name not in arrays]:
        raise UserError(f"{path}: lacks {', '.join(missing)}; a file of features has {', '.join(_ARRAYS)}")
    return arrays


def _hashes(texts: Sequence[str]) -> list[str]:
    return [hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts]

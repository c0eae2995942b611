"""Skeletons of NTU RGB+D (Shahroudy et al., CVPR 2016) and NTU RGB+D 120 (Liu et al., TPAMI 2020).

A clip is called `SsssCcccPpppRrrrAaaa`: setup, camera, performer, repetition, action. The source is

* as published: a folder with `nturgb+d_skeletons/` and, of NTU-120, `nturgb+d_skeletons120/`, or with the
  `.skeleton` files themselves;
* the `.npz` files of CTR-GCN's scripts, one or both, or a folder with them;
* the `ntu60_3danno.pkl` or `ntu120_3danno.pkl` of PYSKL, or a folder with it.

All protocols are splits of the same records: `xsub_train`, `xsub_test`, and `xview_…` of NTU-60, `xset_…` of
NTU-120.
"""

import functools
import shutil
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from rgbd_jax.data.builders.skeleton_builder import SkeletonBuilder
from rgbd_jax.data.formats.ntu_skeleton import NUM_JOINTS
from rgbd_jax.data.in_place import InPlace
from rgbd_jax.data.journal import Journal
from rgbd_jax.data.ntu.annotations import Annotations
from rgbd_jax.data.ntu.archives import NUM_BODIES, Archives
from rgbd_jax.data.ntu.captures import CORES, Captures
from rgbd_jax.data.ntu.edition import NTU60, NTU120, Edition
from rgbd_jax.data.records import JOINT
from rgbd_jax.data.skeleton_sample import Sample
from rgbd_jax.errors import UserError


class NtuSkeletons(SkeletonBuilder, skip_registration=True):
    """Base class of both editions. Records hold the bodies that there are, one or two.

    Recordings in which nobody acts are left out; `info.metadata["left_out"]` says how many.
    """

    EDITION: ClassVar[Edition]
    NUM_BODIES = NUM_BODIES
    NUM_JOINTS = NUM_JOINTS
    NEEDS_ALL_SPLITS = False
    READERS = 4 * CORES

    _journal: Journal | None = None  # of the captures that were read, while they are prepared

    @functools.cached_property
    def clips(self) -> Captures | Archives | Annotations:
        """The source, whichever of its forms it has. UserError if it has none of them."""
        root, edition = Path(self.source), self.EDITION
        annotations = f"{self.name}_3danno.pkl"
        if root.suffix == ".pkl" and root.is_file():
            return Annotations(root, edition)
        if root.suffix == ".npz" and root.is_file():
            return Archives([root], edition)
        captures = Captures(root, edition)
        if captures.exist():
            return captures
        if archives := [path for name in edition.archives if (path := root / name).is_file()]:
            return Archives(archives, edition)
        if (root / annotations).is_file():
            return Annotations(root / annotations, edition)
        raise UserError(
            f"--source={root}: found neither .skeleton files, there or in nturgb+d_skeletons/,"
            f" nor {', '.join(edition.archives)}, nor {annotations}"
        )

    def items(self) -> list[Any]:
        return self.clips.items()

    def split_of(self, item: Any) -> str:
        return JOINT.join(self.clips.splits(item))

    def read(self, item: Any) -> Sample:
        return self.clips.read(item)

    def pool(self) -> Executor:
        return self.clips.pool()

    def reader(self) -> Callable[[Any], Sample]:
        return self.clips.read

    def start_reading(self, item: Any, pool: Executor) -> Future:
        if self._journal is not None and (sample := self.clips.recall(item, self._journal)) is not None:
            return InPlace().submit(lambda: sample)
        return super().start_reading(item, pool)

    def record(self, sample: Sample) -> dict[str, Any]:
        if self._journal is not None:
            self._journal.add(sample.key, sample.joints)
        return super().record(sample)

    def prepare(self) -> None:
        """As of every data set; what was read of captures is kept until all is done, to go on from there."""
        self.warnings += self.clips.remarks()
        if not isinstance(self.clips, Captures):
            super().prepare()
            return
        folder = Path(self.data_dir).with_name(f"{self.VERSION}.unfinished")
        with Journal(folder) as self._journal:
            super().prepare()
        shutil.rmtree(folder, ignore_errors=True)

    def check(self) -> list[str]:
        self.warnings += self.clips.remarks()
        return super().check()

    def clip_features(self) -> dict[str, tfds.features.FeatureConnector]:
        shape = (None, None, NUM_JOINTS, 3)
        return {"joints": tfds.features.Tensor(shape=shape, dtype=np.float32, encoding="bytes")}


class Ntu60(NtuSkeletons):
    """NTU-60: 56,578 clips of 60 actions by 40 people; a clip with one person has zeros for the other."""

    VERSION = tfds.core.Version("1.0.0")
    SUMMARY = "NTU RGB+D: skeletons of one or two people, 60 actions, by subject and by camera."
    EDITION = NTU60
    CLASS_NAMES = NTU60.class_names
    PUBLISHED_SIZES: ClassVar = {
        "xsub_train": 40091,
        "xsub_test": 16487,
        "xview_train": 37646,
        "xview_test": 18932,
    }
    REPEATS_LONE_BODY = NTU60.repeats_lone_body


class Ntu120(NtuSkeletons):
    """NTU-120: 113,945 clips of 120 actions by 106 people; a clip with one person has that person twice."""

    VERSION = tfds.core.Version("1.0.0")
    SUMMARY = "NTU RGB+D 120: skeletons of one or two people, 120 actions, by subject and by setup."
    EDITION = NTU120
    CLASS_NAMES = NTU120.class_names
    PUBLISHED_SIZES: ClassVar = {
        "xsub_train": 63026,
        "xsub_test": 50919,
        "xset_train": 54468,
        "xset_test": 59477,
    }
    REPEATS_LONE_BODY = NTU120.repeats_lone_body

"""What the name of a capture says, `SsssCcccPpppRrrrAaaa`, and what it means in NTU-60 and NTU-120.

Setup, camera, performer, repetition and action all count from 1. The protocols are those of Shahroudy et al.
(CVPR 2016; by subject and by camera) and Liu et al. (TPAMI 2020; by subject and by setup).
"""

import dataclasses
import functools
import json
import re
from pathlib import Path
from typing import NamedTuple

from rgbd_jax.data.ntu.class_names import CLASS_NAMES
from rgbd_jax.errors import UserError

WHY_MISSING = "whose skeletons are missing or incomplete, as the authors of the data set say"

TRAINING_CAMERAS = frozenset((2, 3))
# Those up to 40 are the training subjects of NTU-60.
TRAINING_PERFORMERS = frozenset(
    (1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38)
    + (45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86)
    + (89, 91, 92, 93, 94, 95, 97, 98, 100, 103)
)

_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")


class Capture(NamedTuple):
    """What the name of a capture says."""

    name: str
    setup: int
    camera: int
    performer: int
    repetition: int
    action: int


PROTOCOLS = {
    "xsub": lambda capture: capture.performer in TRAINING_PERFORMERS,
    "xview": lambda capture: capture.camera in TRAINING_CAMERAS,
    "xset": lambda capture: capture.setup % 2 == 0,
}


@dataclasses.dataclass(frozen=True)
class Edition:
    """NTU-60 or NTU-120.

    Attributes:
      setups, performers, actions: the largest of each.
      protocols: keys of `PROTOCOLS`.
      archives: the files that CTR-GCN's scripts write for them, in this order.
      repeats_lone_body: the second body of a clip with one body is a copy of it; if not, it is zero. The
        published networks were trained like that.
    """

    setups: int
    performers: int
    actions: int
    protocols: tuple[str, ...]
    archives: tuple[str, ...]
    repeats_lone_body: bool

    @property
    def class_names(self) -> tuple[str, ...]:
        """In label order."""
        return CLASS_NAMES[: self.actions]

    def capture(self, name: str, place: str) -> Capture:
        """Take a name apart. UserError, at `place`, if there is no such capture in this edition."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise UserError(f"{place}: found {name}; a name of the form SsssCcccPpppRrrrAaaa is needed")
        capture = Capture(name, *map(int, match.groups()))
        for what, largest in (
            ("setup", self.setups),
            ("camera", 3),
            ("performer", self.performers),
            ("action", self.actions),
        ):
            if not 1 <= getattr(capture, what) <= largest:
                raise UserError(f"{place}: found {what} {getattr(capture, what)}; allowed are 1 to {largest}")
        return capture

    def splits(self, capture: Capture) -> tuple[str, ...]:
        """The split of each protocol that a capture belongs to."""
        return tuple(
            f"{protocol}_{'train' if PROTOCOLS[protocol](capture) else 'test'}" for protocol in self.protocols
        )


NTU60 = Edition(
    setups=17,
    performers=40,
    actions=60,
    protocols=("xsub", "xview"),
    archives=("NTU60_CS.npz", "NTU60_CV.npz"),
    repeats_lone_body=False,
)
NTU120 = Edition(
    setups=32,
    performers=106,
    actions=120,
    protocols=("xsub", "xset"),
    archives=("NTU120_CSub.npz", "NTU120_CSet.npz"),
    repeats_lone_body=True,
)


@functools.cache
def missing_captures() -> frozenset[str]:
    """Names of the captures whose skeletons are missing or incomplete, 302 of NTU-60, 535 of NTU-120."""
    listing = Path(__file__).with_name("missing_samples.json").read_text(encoding="utf-8")
    return frozenset(json.loads(listing)["captures"])

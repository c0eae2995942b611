"""The four streams of a skeleton: what they are called, and how a config asks for one or for all of them.

CTR-GCN is given the bones; GAP is given the joints, and its network makes bones of them where k is 1.
"""

from ml_collections import ConfigDict

# Positions, bones, and the change of both from frame to frame.
STREAMS = ("joint", "bone", "joint_motion", "bone_motion")
# In place of a stream: all of them in one run.
ALL = "all"


def set_stream(config: ConfigDict, stream: str) -> None:
    """Ask for `stream`, one of `STREAMS` or `ALL`; the config says already which network it is for."""
    by_network = _makes_bones(config) and stream.startswith("bone")
    config.task.stream = stream.replace("bone", "joint") if by_network else stream
    config.model.k = 1 if by_network else 0


def stream_of(config: ConfigDict) -> str:
    """What the network sees in the end, also where it is given something else: `set_stream` turned around."""
    stream = config.task.stream
    return stream.replace("joint", "bone") if _makes_bones(config) and config.model.k == 1 else stream


def of_stream(config: ConfigDict, stream: str) -> ConfigDict:
    """The config of the run of one stream that is a part of what a config asks for with `ALL`."""
    config = config.copy_and_resolve_references()
    set_stream(config, stream)
    return config


def _makes_bones(config: ConfigDict) -> bool:
    return config.model.name == "gap"

"""Zero-shot recognition: a small GAP learns eight of the ten synthetic motions, and tells the other two apart
by their descriptions alone.

python -m rgbd_jax.main --config=configs/gap/zero_shot.py:march_push --workdir=runs/zero_shot
python -m rgbd_jax.main --mode=eval --workdir=runs/zero_shot

`march_push` and `kick_raise` tell all test clips of their two actions apart, `wave_kick` half of them, which
is no more than guessing (seeds 1 to 3; docs/zero_shot.md).
"""

from ml_collections import ConfigDict

from rgbd_jax.defaults import debug, split_variant, synthetic_skeleton_config

# The held-out actions, by variant. Seven of the ten consist of movements that other actions show too. In a
# chain whose neighbours share one: wave while marching, march, kick, kick and push, push and squat, raise
# both arms and squat, raise both arms. A pair is two that stand three apart: none of its movements is
# missing from training, and its members share none; arms and legs both do something else.
PAIRS = {
    "wave_kick": ("wave while marching", "kick and push"),
    "march_push": ("march", "push and squat"),
    "kick_raise": ("kick", "raise both arms and squat"),
}


def get_config(variant: str = "") -> ConfigDict:
    pair, flags = split_variant(variant, one_of=tuple(PAIRS), flags=("debug",))
    config = synthetic_skeleton_config()
    config.num_epochs = 10
    config.data.held_out = PAIRS[pair]
    config.task.flip = 0.5  # the descriptions name no side
    config.task.text_weight = 1.0
    config.text.alike = "text"
    config.model.name = "gap"
    return debug(config) if "debug" in flags else config

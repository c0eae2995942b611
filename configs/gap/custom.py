"""A skeleton data set of one's own (docs/own_data.md).

python -m rgbd_jax.prepare custom_skeletons --source=my_skeletons --split=random --data_dir=data
python -m rgbd_jax.main --config=configs/gap/custom.py:joint --workdir=runs/my_skeletons

CTR-GCN (ICCV 2021), by the recipe for NTU RGB+D in batches of 16. With `text` after the stream GAP (ICCV
2023), which needs descriptions of the classes: `config.text.prompts` and `config.text.features`.
"""

from ml_collections import ConfigDict

from rgbd_jax.defaults import debug, skeleton_config, split_variant
from rgbd_jax.streams import ALL, STREAMS, set_stream


def get_config(variant: str = "") -> ConfigDict:
    stream, flags = split_variant(variant, one_of=(*STREAMS, ALL), flags=("text", "debug"))
    config = skeleton_config()
    if "text" in flags:
        config.model.name = "gap"
        config.task.text_weight = 0.8
    set_stream(config, stream)
    config.batch_size = 16
    config.num_epochs = 65
    config.data.name = "custom_skeletons"
    config.data.repeat = 5

    config.model.layout = "ntu25"
    config.model.num_persons = 1

    config.optimizer.weight_decay = 4e-4
    config.schedule.base_lr = 0.1
    config.schedule.warm_up = 5 / 65
    config.schedule.steps = (35 / 65, 55 / 65)
    return debug(config) if "debug" in flags else config

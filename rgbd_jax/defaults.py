"""The keys that every config has, with their defaults, and what config files are made with."""

from collections.abc import Sequence

from ml_collections import ConfigDict

from rgbd_jax.errors import UserError

# What the skeleton task sees of the joints: positions, bones, and the change of both from frame to frame.
STREAMS = ("joint", "bone", "joint_motion", "bone_motion")


def general_config() -> ConfigDict:
    """What a config of any task has."""
    config = ConfigDict()
    config.seed = 1
    config.batch_size = 64  # global, over all devices and processes
    config.eval_batch_size = 64
    config.num_epochs = 1
    config.stop_epoch = 0  # end after this epoch with the schedules of num_epochs; 0: at the end
    config.dtype = "float32"  # of the arithmetic, or bfloat16; parameters and statistics are float32
    config.parity = ()  # names of published behaviours to reproduce, see docs/parity.md
    config.init_from = ""  # a run or checkpoint whose weights to start from
    config.accumulate = 1  # parts of a batch that go through the network one after the other
    config.ema_decay = 0.0  # of the moving average of the parameters, which is then evaluated; 0: none
    config.log_every = 10  # steps
    config.checkpoint_every = 200  # steps; a checkpoint is also saved after each epoch

    config.data = data = ConfigDict()
    data.name = ""
    data.data_dir = "./data"
    data.train_split = "train"
    data.eval_split = "test"
    data.repeat = 1  # how often an epoch shows each sample
    data.limit = 0  # take only the first samples of each split; 0: all
    data.num_workers = 0  # processes that read; 0: threads of this one
    data.on_error = "fail"  # what to do about an unreadable sample

    config.optimizer = optimizer = ConfigDict()
    optimizer.name = "sgd"
    optimizer.momentum = 0.9
    optimizer.nesterov = True
    optimizer.weight_decay = 0.0
    optimizer.clip_norm = 0.0

    config.schedule = schedule = ConfigDict()
    schedule.name = "step"
    schedule.base_lr = 0.1  # for a global batch of reference_batch samples
    schedule.reference_batch = 64
    schedule.warm_up = 0.0  # this and the steps are fractions of num_epochs
    schedule.steps = ()
    schedule.decay_rate = 0.1
    schedule.minimum = 0.0
    schedule.patience = 4  # of plateau: so many epochs may be no better than the best
    schedule.cooldown = 3  # of plateau: so many epochs after a drop do not count
    schedule.per = "epoch"

    config.task = task = ConfigDict()
    task.name = ""
    return config


def skeleton_config() -> ConfigDict:
    """What a config of the skeleton task has: plain CTR-GCN on 64 frames of NTU's skeleton."""
    config = general_config()

    task = config.task
    task.name = "skeleton"
    task.feeder = "ntu"  # whose preparation and augmentation: ntu or ucla
    task.stream = "joint"
    task.window = 64  # frames that the network sees
    task.label_smoothing = 0.0

    config.model = model = ConfigDict()
    model.name = "ctrgcn"
    model.layout = "ntu25"
    model.num_persons = 2
    model.base_width = 64  # channels of the first four blocks
    model.adaptive = True
    model.drop_out = 0.0
    model.k = 0  # of gap: 0 sees the stream as it is, 1 turns joints into bones
    return config


def defaults_of(task: str) -> ConfigDict:
    """The config of a task before any experiment changes it; of an unknown task what all have."""
    return skeleton_config() if task == "skeleton" else general_config()


def split_variant(variant: str, *, one_of: Sequence[str], flags: Sequence[str]) -> tuple[str, set[str]]:
    """Take `choice,flag,flag` apart.

    Raises:
      UserError: if the first word is none of `one_of`, or another none of `flags`.
    """
    choice, *chosen = variant.split(",")
    if choice not in one_of or not set(chosen) <= set(flags):
        raise UserError(
            f"variant {variant!r}: allowed is one of {', '.join(one_of)}, then any of {', '.join(flags)}"
        )
    return choice, set(chosen)


def debug(config: ConfigDict) -> ConfigDict:
    """Two steps on a laptop; the batch of eight also divides among eight devices."""
    config.batch_size = config.eval_batch_size = 8
    config.num_epochs = 1
    config.log_every = 1
    config.data.limit = 16
    config.data.repeat = 1
    config.model.base_width = 8
    return config

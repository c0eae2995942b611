"""The keys that every config has, with their defaults, and what config files are made with."""

import functools
from collections.abc import Sequence

from ml_collections import ConfigDict

from rgbd_jax.errors import UserError
from rgbd_jax.streams import ALL, STREAMS, set_stream


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
    config.frozen_norm = False  # leave the statistics of the batch norms as they were there
    config.fsdp = 1  # devices that share one copy of the parameters
    config.accumulate = 1  # parts of a batch that go through the network one after the other
    config.ema_decay = 0.0  # of the moving average of the parameters, which is then evaluated; 0: none
    config.max_skipped_steps = 10  # in a row, whose loss or gradient is not finite, before the run ends
    config.log_every = 10  # steps
    config.checkpoint_every = 200  # steps; a checkpoint is also saved after each epoch
    config.visualize = 0  # samples whose pictures --mode=eval draws

    config.data = data = ConfigDict()
    data.name = ""
    data.data_dir = "./data"
    data.train_split = "train"
    data.eval_split = "test"
    data.held_out = ()  # classes that training never sees, to be recognised by their descriptions
    data.repeat = 1  # how often an epoch shows each sample
    data.limit = 0  # take only the first samples of each split; 0: all
    data.num_workers = 0  # processes that read; 0: up to four threads of this one
    data.on_error = "fail"  # what to do about a faulty sample
    data.max_unreadable = 0.01  # share of a split that may be left out

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
    config.data.resident = False  # all clips stay in the memory of each device

    task = config.task
    task.name = "skeleton"
    task.feeder = "ntu"  # whose preparation and augmentation: ntu or ucla
    task.stream = "joint"  # or all of them in one run, see rgbd_jax.streams
    task.window = 64  # frames that the network sees
    task.flip = 0.0  # probability of exchanging left and right in training
    task.label_smoothing = 0.0
    add_text(config)

    config.model = model = ConfigDict()
    model.name = "ctrgcn"
    model.layout = "ntu25"
    model.num_persons = 2
    model.base_width = 64  # channels of the first stage; each further one has twice as many
    model.stages = (4, 3, 3)  # blocks of each stage
    model.adaptive = True
    model.drop_out = 0.0
    model.remat = False  # compute intermediate results twice instead of keeping them
    model.k = 0  # of gap: 0 sees the stream as it is, 1 turns joints into bones
    return config


def synthetic_skeleton_config() -> ConfigDict:
    """A small CTR-GCN on the synthetic motions, which learns them in minutes on two CPU cores."""
    config = skeleton_config()
    config.batch_size = 16
    config.num_epochs = 6
    config.data.name = "synthetic"
    config.task.window = 16
    config.model.num_persons = 1
    config.model.base_width = 16
    config.model.stages = (2, 1, 1)
    config.optimizer.weight_decay = 4e-4
    config.schedule.name = "cosine"
    config.schedule.reference_batch = 32
    config.schedule.warm_up = 0.1
    config.schedule.per = "step"
    return config


def rgbd_config(modality: str = "rgb") -> ConfigDict:
    """What a config of the tasks rgbd and fusion has: 64 frames of 224×224, as published for NTU RGB+D.

    Args:
      modality: `rgb` or `depth` for I3DWTrans on one of them, `fusion` for FusionNet on both.
    """
    config = general_config()
    config.data.modalities = ("rgb", "depth") if modality == "fusion" else (modality,)
    config.data.num_frames = 64

    task = config.task
    task.name = "fusion" if modality == "fusion" else "rgbd"
    task.resize = (320, 240)  # width, height of the frames before the crop
    task.crop = 224  # side of the square that is cut out
    task.crop_rule = "centre"  # where in evaluation; nvgesture: as published for that data set
    task.size = 224  # side of what the network sees
    task.flip = 0.5  # probability
    task.rotated = 0.5  # probability
    task.angles = (-10, 10)  # degrees
    task.blur = False  # half of the frames, in training
    task.depth_levels = "wrapped"  # of 16-bit depth: mod 256 as published, or scaled from depth_range
    task.depth_range = (500, 4500)  # millimetres
    task.rank_pooling = 10  # frames of a window of the heat maps; 0: none
    task.label_smoothing = 0.1
    task.distillation = 1.0  # weight
    task.distillation_batch = 4  # the loss is a sum over so many samples; 1: their mean
    if modality == "fusion":
        config.init_trunks = ()  # runs or checkpoints of rgb and depth whose weights to start from
        task.shared_augmentation = True  # of colour and depth alike
        task.distillation_from = 0.0  # as a fraction of num_epochs
    else:
        task.distillation_from = 0.02
        task.branch_weights = (1.0, 0.5, 0.5, 0.5)  # of the cross entropy of fused, small, media, large
        task.temperatures = (0.04, 0.07)  # of the branches in the first and from the 30th epoch on; (): none
        add_text(config)

    config.model = model = ConfigDict()
    model.width = 1.0  # factor of all channels
    model.num_blocks = 6
    model.frames = (16, 32, 48)  # of the branches small, media, large
    model.eval_draws = 0  # of these frames, averaged in evaluation; 0: the middle ones
    model.knn_ratio = 0.7  # share of the keys that a query sees; 0: all
    model.recoupling = True
    model.recoupling_heads = 1
    model.temper = 0.5  # of the distillation
    model.drop_out = 0.1
    model.norm_momentum = 0.99  # the weight that running statistics keep; fewer steps need less
    model.remat = False  # compute intermediate results twice instead of keeping them

    config.num_epochs = 100
    config.batch_size = config.eval_batch_size = 32
    config.optimizer.nesterov = False
    config.optimizer.weight_decay = 3e-4
    config.optimizer.clip_norm = 5.0
    config.schedule.name = "cosine"
    config.schedule.base_lr = 0.01
    config.schedule.reference_batch = 32  # eight devices with four clips each
    config.schedule.warm_up = 0.03
    config.schedule.minimum = 1e-5
    return config


def add_text(config: ConfigDict) -> None:
    """Add what tasks have that can be taught by what is written about the classes."""
    config.task.text_weight = 0.0  # of the contrastive loss with descriptions of the classes; 0: none
    config.text = text = ConfigDict()
    text.prompts = ""  # file of descriptions; "": those that come with the data set
    text.synonyms = ""  # where prompts is GAP's file of parts, that of the synonyms
    text.source = "features"  # of the vectors: a file, or clip, whose text transformer is trained too
    text.width = 384  # of the vectors; those that come with the data sets have this width, CLIP's 512
    text.features = ""  # file of the descriptions' vectors; "": those that come with the data set
    text.encoder = ""  # that the vectors must be from; "": any
    text.weights = ""  # of clip: file of its weights
    text.vocabulary = ""  # of clip: file of its vocabulary
    text.lr_ratio = 1.0  # of clip: its learning rate as a multiple of the network's; 0: it stays as it is
    text.alike = "class"  # clips alike in the loss: of one class; text: with one text of the part


def skeleton_variant(variant: str) -> tuple[ConfigDict, set[str]]:
    """The config of a variant such as `bone`, `all` or `joint,plain,debug`, and its flags.

    With text it is GAP's, whose network makes bones of joints; `plain` is CTR-GCN, which is given bones.
    """
    stream, flags = split_variant(variant, one_of=(*STREAMS, ALL), flags=("plain", "debug"))
    config = skeleton_config()
    if "plain" not in flags:
        config.model.name = "gap"
        config.task.text_weight = 1.0
    set_stream(config, stream)
    return config, flags


def ntu_skeleton_variant(variant: str, data_set: str, protocol: str) -> ConfigDict:
    """The published recipes for the skeletons of NTU RGB+D, with text (GAP) and without (CTR-GCN).

    Args:
      data_set: ntu60 or ntu120.
      protocol: xsub, xview or xset: which clips train and which test.
    """
    config, flags = skeleton_variant(variant)
    config.data.name = data_set
    config.data.train_split = f"{protocol}_train"
    config.data.eval_split = f"{protocol}_test"
    config.schedule.base_lr = 0.1
    if "plain" in flags:
        epochs, steps = 65, (35, 55)
        config.batch_size = 64
        config.optimizer.weight_decay = 4e-4
    else:
        epochs, steps = 110, (90, 100)
        config.batch_size = config.eval_batch_size = config.schedule.reference_batch = 200
        config.optimizer.weight_decay = 5e-4
        config.task.text_weight = 0.8
    config.num_epochs = epochs
    config.schedule.warm_up = 5 / epochs
    config.schedule.steps = tuple(step / epochs for step in steps)
    return debug(config) if "debug" in flags else config


DEFAULTS = {
    "skeleton": skeleton_config,
    "rgbd": rgbd_config,
    "fusion": functools.partial(rgbd_config, "fusion"),
}


def defaults_of(task: str) -> ConfigDict:
    """The config of a task before any experiment changes it; of an unknown task what all have."""
    return DEFAULTS.get(task, general_config)()


def rgbd_variant(
    variant: str, modalities: Sequence[str] = ("rgb", "depth", "fusion")
) -> tuple[ConfigDict, bool]:
    """The config of a variant such as `depth` or `fusion,debug`, and whether it is to be made small."""
    modality, flags = split_variant(variant, one_of=modalities, flags=("debug",))
    return rgbd_config(modality), "debug" in flags


def split_variant(variant: str, *, one_of: Sequence[str], flags: Sequence[str]) -> tuple[str, set[str]]:
    """Take `choice,flag,flag` apart; without a choice it is the first of `one_of`.

    Raises:
      UserError: if the first word is none of `one_of`, or another none of `flags`.
    """
    words = variant.split(",") if variant else []
    if not words or words[0] in flags:
        words = [one_of[0], *words]
    choice, *chosen = words
    if choice not in one_of or not set(chosen) <= set(flags):
        raise UserError(
            f"variant {variant!r}: allowed is one of {', '.join(one_of)}, then any of {', '.join(flags)}"
        )
    return choice, set(chosen)


def debug(config: ConfigDict) -> ConfigDict:
    """Two steps on a laptop, with a small network; the batch of eight also divides among eight devices."""
    config.batch_size = config.eval_batch_size = 8
    config.num_epochs = 1
    config.log_every = 1
    config.data.limit = 16
    config.data.repeat = 1
    if config.task.name == "skeleton":
        config.model.base_width = 8
        config.model.stages = (1, 1, 1)
    else:
        config.data.num_frames = 8
        config.task.rank_pooling = 4
        config.task.size = config.task.crop = 32
        config.task.resize = (48, 48)
        config.task.crop_rule = "centre"
        config.model.width = 0.125
        config.model.num_blocks = 1
        config.model.frames = (4, 6, 8)
    return config

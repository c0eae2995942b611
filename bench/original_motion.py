"""The published PyTorch program of MotionRGBD as it stands in a checkout, made importable.

It needs a few packages and a GPU in places that neither its network nor its loader depends on here: these
get stand-ins. Nothing of the checkout is copied.
"""

import argparse
import contextlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np


def checkout(text: str) -> Path:
    """The argument --original."""
    folder = Path(text).resolve()
    if not (folder / "lib" / "model" / "DSN.py").is_file():
        raise argparse.ArgumentTypeError(f"{text}: there is no lib/model/DSN.py in it")
    return folder


@contextlib.contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Within, `import lib` finds the checkout's package, which runs without GPU and torchvision."""
    import torch  # not for those who only read the argument

    def nothing(*_, **__):
        return None

    transforms = types.ModuleType("torchvision.transforms")
    transforms.Compose, transforms.ToTensor, transforms.Grayscale = _Compose, _ToTensor, _Grayscale
    transforms.Resize = transforms.CenterCrop = transforms.Normalize = nothing
    transforms.InterpolationMode = nothing
    modules = {
        "torchvision": dict(transforms=transforms, set_image_backend=nothing),
        "torchvision.utils": dict(save_image=nothing, make_grid=nothing),
        "torchvision.datasets": {},
        "scipy.ndimage.filters": dict(gaussian_filter=nothing),
        "pandas": {},
        "utils": dict(load_pretrained_checkpoint=nothing, load_checkpoint=nothing),  # of the checkout
    }
    for name, members in modules.items():
        module = types.ModuleType(name)
        module.__dict__.update(members)
        sys.modules[name] = module
    sys.modules[transforms.__name__] = transforms
    np.int0 = np.intp  # its name in NumPy 1
    if not torch.cuda.is_available():
        torch.Tensor.cuda = lambda self, *_, **__: self
    path = list(sys.path)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = path  # the checkout adds to it what is no path
        for name in modules:  # others look for the true ones
            del sys.modules[name]
        del sys.modules[transforms.__name__]


def settings(**changed) -> types.SimpleNamespace:
    """The published settings for NTU RGB+D, on one device without pre-trained weights; `changed` replaces."""
    published = dict(
        dataset="NTU",
        Network="I3DWTrans",
        pretrained="",
        local_rank=0,
        nprocs=1,
        batch_size=1,
        phase="train",
        epochs=100,
        epoch=5,
        sample_duration=64,
        sample_size=224,
        resize="(320, 240)",
        crop_size=224,
        flip=0.5,
        rotated=0.5,
        angle="(-10, 10)",
        Blur=False,
        frp=True,
        w=10,
        N=6,
        low_frames=16,
        media_frames=32,
        high_frames=48,
        knn_attention=0.7,
        recoupling=True,
        SEHeads=1,
        sharpness=True,
        temp=[0.04, 0.07],
        temper=0.5,
    )
    return types.SimpleNamespace(**published | changed)


class _Compose:
    def __init__(self, steps):
        self.steps = steps

    def __call__(self, x):
        for step in self.steps:
            x = step(x)
        return x


class _ToTensor:
    def __call__(self, levels):
        import torch

        return torch.from_numpy(np.ascontiguousarray(levels.transpose(2, 0, 1)))


class _Grayscale:
    def __init__(self, channels):
        del channels

    def __call__(self, frame):
        red, green, blue = frame.unbind(-3)
        return (0.2989 * red + 0.587 * green + 0.114 * blue).unsqueeze(-3)

"""The writer of TensorBoard events, imported without PyTorch.

Where PyTorch is installed, tensorboardX imports it, which takes seconds at the start of every command, and
uses nothing of it for plain numbers.
"""

import sys

_torch = sys.modules.setdefault("torch", None)  # None: "not installed"
try:
    from tensorboardX import SummaryWriter
finally:
    if _torch is None:
        del sys.modules["torch"]

__all__ = ["SummaryWriter"]

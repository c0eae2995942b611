"""Deterministic synthetic weights and inputs for parity tests (numpy only).

No trained weight is stored with the golden numbers.  Every tensor is instead
derived from its *name* and *shape*:

    golden_array("dtn.rcm.q.weight", (64, 64))            -> float32 array
    golden_array("input/x", (2, 3, 4, 8, 8), "normal")    -> float32 array
    golden_state_dict(manifest)                           -> {name: array}

Stability.  Values come from the raw 64-bit output of PCG64 seeded with
crc32(name), and only from integer sums and one multiplication per element, so
they are bit-identical on every platform and with every numpy version (the
`Generator.normal` stream, which numpy may change, is not used).

The "normal" variate is the centred sum of the four 16-bit fields of one raw
word, scaled to unit variance: close to Gaussian, bounded by +-2*sqrt(3).
"""

import json
import math
import os
import re
import zlib

import numpy as np

__all__ = ["golden_array", "golden_state_dict", "golden_video", "rule_for", "KINDS"]

_MASK = np.uint64(0xFFFF)


def _raw(name, count):
    seed = zlib.crc32(name.encode("utf-8")) & 0xFFFFFFFF
    if count == 0:
        return np.zeros((0,), np.uint64)
    return np.asarray(np.random.PCG64(seed).random_raw(count), np.uint64)


def _normal(raw):
    """Zero-mean, unit-variance float64 values from raw words (exact sums)."""
    total = np.zeros(raw.shape, np.int64)
    for shift in (0, 16, 32, 48):
        total += ((raw >> np.uint64(shift)) & _MASK).astype(np.int64)
    return (total - 2 * 65535).astype(np.float64) / 65536.0 * math.sqrt(3.0)


def _uniform(raw):
    """float64 values in [0, 1) from the top 53 bits of raw words."""
    return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _fan_in(shape):
    return max(1, int(np.prod(shape[1:], dtype=np.int64)))


# kind -> function(raw words, shape) -> float64 array (flat)
KINDS = {
    # inputs
    "normal": lambda r, s: _normal(r),
    "uniform": lambda r, s: _uniform(r),  # [0, 1)
    "signed": lambda r, s: _uniform(r) * 2.0 - 1.0,  # [-1, 1)
    "byte": lambda r, s: np.floor(_uniform(r) * 256.0),  # 0..255
    # parameters
    "zeros": lambda r, s: np.zeros(r.shape),
    "running_var": lambda r, s: 0.5 + _uniform(r),  # [0.5, 1.5)
    "running_mean": lambda r, s: 0.1 * _normal(r),
    "norm_weight": lambda r, s: 1.0 + 0.1 * _normal(r),
    "bias": lambda r, s: 0.05 * _normal(r),
    "linear": lambda r, s: _normal(r) / math.sqrt(_fan_in(s)),
    "conv": lambda r, s: _normal(r) * math.sqrt(2.0 / _fan_in(s)),
    "projection": lambda r, s: _normal(r) / math.sqrt(max(1, s[0])),
    "scalar": lambda r, s: 0.5 + 0.1 * _normal(r),
    "table": lambda r, s: 0.2 * _normal(r),
}


def rule_for(name, shape):
    """The kind used for a state_dict entry, from its last name part and rank."""
    leaf = re.split(r"[./]", name)[-1]
    rank = len(shape)
    if leaf == "num_batches_tracked":
        return "zeros"
    if leaf == "running_var":
        return "running_var"
    if leaf == "running_mean":
        return "running_mean"
    if leaf.endswith("bias"):
        return "bias"
    if leaf.endswith("weight"):
        if rank <= 1:
            return "norm_weight"
        return "linear" if rank == 2 else "conv"
    if rank == 2 and leaf.endswith("proj") or leaf.endswith("projection"):
        return "projection" if rank >= 2 else "scalar"
    return "scalar" if rank <= 1 else "table"


def golden_array(name, shape, kind=None, salt=""):
    """float32 array of `shape`, a pure function of (salt + name, shape, kind).

    kind: one of KINDS; None picks `rule_for(name, shape)`.
    salt: a prefix mixed into the seed only (gives an independent set of values
          under the same names).
    """
    shape = tuple(int(n) for n in shape)
    count = int(np.prod(shape, dtype=np.int64)) if shape else 1
    fill = KINDS[kind or rule_for(name, shape)]
    flat = fill(_raw(salt + name, count), shape)
    return flat.astype(np.float32).reshape(shape)


def golden_state_dict(manifest, salt="", prefix="", strip=""):
    """{name: array} for a manifest: [[name, shape, dtype], ...] or its JSON path.

    Arrays are float32 except where the manifest's dtype says int64.
    prefix: prepended to the name when seeding, so that a stand-alone module can
            be given the values it would have inside a larger network.
    strip:  keep only names that start with it, and remove it from the keys
            (the seed still uses the full name).
    """
    if isinstance(manifest, (str, os.PathLike)):
        with open(manifest) as f:
            manifest = json.load(f)
    if isinstance(manifest, dict):
        manifest = manifest["entries"]
    out = {}
    for name, shape, dtype in manifest:
        if not name.startswith(strip):
            continue
        value = golden_array(prefix + name, shape, salt=salt)
        if "int" in str(dtype):
            value = value.astype(np.int64)
        out[name[len(strip) :]] = value
    return out


def golden_video(name, shape, cells=4, salt=""):
    """float32 clip in [-1, 1): a coarse random grid per frame plus fine noise.

    shape: (B, T, H, W, C).  Each frame is `cells` x `cells` flat patches (weight
    0.75) with per-pixel noise (weight 0.25), so that frames, positions and
    samples stay distinguishable after spatial pooling.
    """
    b, t, h, w, c = (int(n) for n in shape)
    coarse = golden_array(name + "/coarse", (b, t, cells, cells, c), "signed", salt)
    fine = golden_array(name + "/fine", (b, t, h, w, c), "signed", salt)
    rows = np.arange(h) * cells // h
    cols = np.arange(w) * cells // w
    up = coarse[:, :, rows][:, :, :, cols]
    return np.float32(0.75) * up + np.float32(0.25) * fine


def _self_check():
    a = golden_array("dtn.rcm.q.weight", (64, 64))
    print("q.weight[0,:3]", a[0, :3].tolist(), "std", float(a.std()))
    print("x[:3]", golden_array("input/x", (5,), "normal")[:3].tolist())
    print("crc32", zlib.crc32(b"dtn.rcm.q.weight"))


if __name__ == "__main__":
    _self_check()

"""Files that come with weights, as tests need them: small, and with nothing that is CLIP's own."""

import gzip
import json
from pathlib import Path

from golden.weights import golden_array

from rgbd_jax.text.tokenizer import END, NUM_MERGES

NAMES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64"}


def write_safetensors(path, tensors, **changes):
    """Write tensors by their names; `changes` are made to the header's entry of each."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in tensors.items():
        offsets = [len(data), len(data) + tensor.nbytes]
        header[name] = {"dtype": NAMES[str(tensor.dtype)], "shape": tensor.shape, "data_offsets": offsets}
        header[name] |= changes
        data += tensor.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def clip_tensors(*, width, num_blocks, text_width, vocabulary=END + 1, context=77):
    """Weights of a CLIP text transformer of any size, under OpenAI's names, with some of the rest of CLIP."""
    shapes = {
        "visual.class_embedding": (3,),
        "logit_scale": (),
        "token_embedding.weight": (vocabulary, width),
        "positional_embedding": (context, width),
        "ln_final.weight": (width,),
        "ln_final.bias": (width,),
        "text_projection": (width, text_width),
    }
    for i in range(num_blocks):
        for name, *shape in (
            ("attn.in_proj_weight", 3 * width, width),
            ("attn.in_proj_bias", 3 * width),
            ("attn.out_proj.weight", width, width),
            ("attn.out_proj.bias", width),
            ("ln_1.weight", width),
            ("ln_1.bias", width),
            ("mlp.c_fc.weight", 4 * width, width),
            ("mlp.c_fc.bias", 4 * width),
            ("mlp.c_proj.weight", width, 4 * width),
            ("mlp.c_proj.bias", width),
            ("ln_2.weight", width),
            ("ln_2.bias", width),
        ):
            shapes[f"transformer.resblocks.{i}.{name}"] = shape
    return {name: golden_array(f"clip/{name}", shape) for name, shape in shapes.items()}


def write_vocabulary(path):
    """CLIP's vocabulary as far as the reference sentences use it: the other merges never happen."""
    merges = {}
    for line in (Path(__file__).parent / "text" / "clip_merges.txt").read_text().splitlines():
        rank, merge = line.split(" ", 1)
        merges[int(rank)] = merge
    lines = [merges.get(rank, f"unused{rank} unused{rank}") for rank in range(NUM_MERGES)]
    path.write_bytes(gzip.compress("\n".join(["#version", *lines, "one more", ""]).encode(), 1))
    return path


def write_prompts(path, class_names):
    """Prompts of few letters, as with that vocabulary each is a token."""
    parts = ("global", "synonyms", "head", "hand", "hip", "foot")
    path.write_text(
        "parts: {part}\n"
        + "".join(
            f"[{name}]\n" + "".join(f"{part}: {part[:3]} {number}\n" for part in parts)
            for number, name in enumerate(class_names)
        )
    )
    return path

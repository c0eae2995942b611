"""The temporal network of MotionRGBD (CVPR 2022): transformers over three samplings of a clip's frames."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from rgbd_jax.models.initializers import normal
from rgbd_jax.models.layers import add_spread
from rgbd_jax.models.recoupling import Recoupling, distillation
from rgbd_jax.models.transformer import EncoderLayer, LocalMixing

# The branches by the share of the frames that they see, in the published order and spelling.
BRANCHES = ("small", "media", "large")
# The block whose attention is shown.
SHOWN_BLOCK = 2


class TemporalBranch(nnx.Module):
    """A class token and some of the frames: mixed with their neighbours, then all in N encoder layers."""

    def __init__(
        self,
        width: int,
        *,
        num_frames: int,
        num_blocks: int,
        knn_ratio: float,
        drop_out: float,
        rngs: nnx.Rngs,
    ):
        self.class_token = nnx.Param(normal(1.0)(rngs.params(), (1, width), jnp.float32))
        self.positions = nnx.Param(normal(1.0)(rngs.params(), (num_frames + 1, width), jnp.float32))
        self.local = LocalMixing(width, rngs=rngs)
        blocks = [
            EncoderLayer(width, knn_ratio=knn_ratio, drop_out=drop_out, rngs=rngs) for _ in range(num_blocks)
        ]
        # One layer whose variables have a first axis, the blocks: compiled once and scanned over them.
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(nnx.state, blocks))
        self.blocks = nnx.merge(nnx.graphdef(blocks[0]), stacked)

    def __call__(
        self, x: jax.Array, *, train: bool, rngs: nnx.Rngs | None = None
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """
        Args:
          x: the chosen frames (B, S, C).

        Returns:
          The class token after the last block (B, C), at least in float32; the attention of the third block,
          or of the last of fewer (B, heads, 1 + S, 1 + S); and the smallest gap of all blocks (B,), see
          `transformer.smallest_gap`.
        """
        token = jnp.broadcast_to(self.class_token[...].astype(x.dtype), (x.shape[0], 1, x.shape[2]))
        tokens = jnp.concatenate([token, x], axis=1)
        tokens = add_spread(tokens, self.positions[...])
        tokens = self.local(tokens, train=train)
        graph, stacked = nnx.split(self.blocks)
        drops = train and rngs is not None
        num_blocks = self.blocks.norm.scale.shape[0]
        keys = jax.random.split(rngs.dropout(), num_blocks) if drops else None

        def run(tokens, variables_and_key):
            variables, key = variables_and_key
            block_rngs = nnx.Rngs(dropout=key) if drops else None
            tokens, attention, gap = nnx.merge(graph, variables)(tokens, train=train, rngs=block_rngs)
            return tokens, (attention, gap)

        scan = functools.partial(jax.lax.scan, run)
        # A GPU takes longer to start the small kernels of the loop than to run them: unrolled, half are left.
        unrolled = functools.partial(scan, unroll=num_blocks)
        tokens, (attention, gaps) = jax.lax.platform_dependent(
            tokens, (stacked, keys), cpu=scan, default=unrolled
        )
        shown = attention[min(SHOWN_BLOCK, num_blocks - 1)]
        return tokens[:, 0].astype(self.class_token.dtype), shown, gaps.min(0)


class TemporalNetwork(nnx.Module):
    """What a clip is, in three vectors, one for each branch."""

    def __init__(
        self,
        width: int,
        *,
        num_blocks: int,
        frames: tuple[int, int, int],
        clip_length: int,
        knn_ratio: float,
        recoupling: bool,
        recoupling_heads: int,
        recoupling_drop_out: float,
        temper: float,
        drop_out: float,
        eval_draws: int = 0,
        rngs: nnx.Rngs,
    ):
        """See `Trunk` for the arguments."""
        self.frames = frames
        self.eval_draws = eval_draws
        self.clip_length = clip_length
        self.temper = temper
        self.recoupling = (
            Recoupling(clip_length, width, heads=recoupling_heads, drop_out=recoupling_drop_out, rngs=rngs)
            if recoupling
            else None
        )
        self.branches = nnx.Dict(
            {
                name: TemporalBranch(
                    width,
                    num_frames=count,
                    num_blocks=num_blocks,
                    knn_ratio=knn_ratio,
                    drop_out=drop_out,
                    rngs=rngs,
                )
                for name, count in zip(BRANCHES, frames, strict=True)
            }
        )

    def __call__(self, x: jax.Array, *, train: bool, rngs: nnx.Rngs | None = None) -> dict[str, jax.Array]:
        """
        Args:
          x: the frames' features (B, T, C).
          rngs: with the stream `dropout`, from which training also draws the frames of each branch.

        Returns:
          small, media, large: (B, C), the branches' features; distillation (B,); attention_small, _media and
          _large (B, heads, 1 + S, 1 + S); attention_gap (B,), the smallest of all branches, see
          `transformer.smallest_gap`; and with recoupling its weights, enhancement (B, T, C). All at least in
          float32. Features and attention are means over `eval_draws`, if there are any.

        Raises:
          ValueError: if T is not what the network was made for.
        """
        if x.shape[1] != self.clip_length:
            raise ValueError(f"a clip of {x.shape[1]} frames; the network was made for {self.clip_length}")
        out, gaps = {}, []
        if self.recoupling is not None:
            x, student, out["enhancement"] = self.recoupling(x, train=train, rngs=rngs)
        for place, (name, count) in enumerate(zip(BRANCHES, self.frames, strict=True)):

            def see(key, branch=self.branches[name], count=count):
                chosen = x[:, choose_frames(self.clip_length, count, key)]
                return branch(chosen, train=train, rngs=rngs)

            if self.eval_draws and not train:
                # The same draws for every clip of every evaluation.
                keys = jax.random.split(jax.random.key(place), self.eval_draws)
                features, attention, gap = jax.lax.map(see, keys)
                features, attention, gap = features.mean(0), attention.mean(0), gap.min(0)
            else:
                features, attention, gap = see(rngs.dropout() if train and rngs is not None else None)
            out[name], out[f"attention_{name}"] = features, attention
            gaps.append(gap)
        out["attention_gap"] = functools.reduce(jnp.minimum, gaps)
        if self.recoupling is not None:
            teacher = sum(out[name] for name in BRANCHES) / len(BRANCHES)
            out["distillation"] = distillation(student, teacher, self.temper)
        else:
            out["distillation"] = jnp.zeros(x.shape[0])
        return out


def join_branches(outputs: dict[str, jax.Array]) -> jax.Array:
    """The largest of the three branches' values, element by element."""
    return functools.reduce(jnp.maximum, (outputs[name] for name in BRANCHES))


def choose_frames(available: int, wanted: int, key: jax.Array | None) -> jax.Array | np.ndarray:
    """One frame number from each of `wanted` segments of the clip, the same for all clips of a batch.

    Args:
      key: of the random numbers; without one it is the centre of each segment.

    Returns:
      (wanted,), rising; with more wanted than available some come twice.
    """
    segments = np.arange(wanted + 1) * available // wanted
    start, stop = segments[:-1], np.maximum(segments[1:], segments[:-1] + 1)
    if key is None:
        return start + (stop - start - 1) // 2
    return jax.random.randint(key, (wanted,), start, stop)

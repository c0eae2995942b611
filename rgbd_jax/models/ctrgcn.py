"""CTR-GCN: a graph convolution whose topology is refined for each channel (Chen et al., ICCV 2021)."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import constant
from jax.typing import DTypeLike

from rgbd_jax.models.graph_network import STAGES, ConvNorm, GraphNetwork
from rgbd_jax.models.initializers import kaiming_normal, normal
from rgbd_jax.models.layers import (
    BatchNorm,
    PointwiseConv,
    TemporalConv,
    add_spread,
    affine,
    max_pool_frames,
    product,
    strided_frames,
)
from rgbd_jax.models.skeleton_graph import spatial_adjacency
from rgbd_jax.skeleton_layouts import LAYOUTS


class CTRGCN(GraphNetwork):
    """The published network; `GraphNetwork` says what it returns."""

    def __init__(
        self,
        *,
        num_classes: int,
        layout: str,
        num_persons: int,
        in_channels: int = 3,
        base_width: int = 64,
        stages: Sequence[int] = STAGES,
        adaptive: bool = True,
        drop_out: float = 0.0,
        remat: bool = False,
        dtype: DTypeLike | None = None,
        rngs: nnx.Rngs,
    ):
        """
        Args:
          layout: a key of `LAYOUTS`.
          adaptive: learn the adjacency that all samples share, instead of keeping it.
          base_width, stages, drop_out, remat, dtype: see `GraphNetwork`.
        """
        super().__init__(
            num_classes=num_classes,
            layout=LAYOUTS[layout],
            num_persons=num_persons,
            spatial=functools.partial(GraphConv, layout=layout, adaptive=adaptive, rngs=rngs),
            temporal=functools.partial(MultiScaleTemporalConv, rngs=rngs),
            in_channels=in_channels,
            base_width=base_width,
            stages=stages,
            drop_out=drop_out,
            remat=remat,
            dtype=dtype,
            rngs=rngs,
        )


class GraphConv(nnx.Module):
    """The spatial half of a block: CTR-GC on the three subsets of the graph, norm, residual, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, *, layout: str, adaptive: bool, rngs: nnx.Rngs):
        self.layout = LAYOUTS[layout]
        subsets = spatial_adjacency(self.layout)
        self.adjacency = nnx.Param(jnp.asarray(subsets, jnp.float32)) if adaptive else None
        self.alpha = nnx.Param(jnp.zeros(()))
        self.refinement = CTRGC(in_channels, out_channels, subsets=len(subsets), rngs=rngs)
        # Starts at almost nothing, so that a fresh block is its residual path.
        self.norm = BatchNorm(out_channels, scale_init=constant(1e-6), rngs=rngs)
        self.shortcut = (
            ConvNorm(in_channels, out_channels, rngs=rngs) if in_channels != out_channels else None
        )

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """(I, N, T, V) to (O, N, T, V)."""
        alpha = self.alpha[...]
        adjacency = spatial_adjacency(self.layout) if self.adjacency is None else self.adjacency[...]
        y = self.refinement(x, jnp.asarray(adjacency, alpha.dtype), alpha)
        y = self.norm(y, train=train) + (x if self.shortcut is None else self.shortcut(x, train=train))
        return nnx.relu(y)


class CTRGC(nnx.Module):
    """Channel-wise topology refinement graph convolution (section 3.2), summed over K subsets of the graph.

    For each subset k, with the adjacency A_k that all samples and channels share,

        R_k[c, n, u, v] = A_k[u, v] + α ξ_k(tanh(ψ_k(x̄)[n, u] − φ_k(x̄)[n, v]))[c]
        y[c, n, t, u] = Σ_k Σ_v R_k[c, n, u, v] θ_k(x)[c, n, t, v]

    where x̄ is the mean of x over T and ψ, φ, ξ, θ are 1×1 convolutions. The publication takes the mean after
    ψ and φ: the same to rounding, and more work.
    """

    def __init__(self, in_channels: int, out_channels: int, *, subsets: int, rngs: nnx.Rngs):
        self.subsets = subsets
        relations = 8 if in_channels in (3, 9) else in_channels // 8
        narrow = functools.partial(
            PointwiseConv, in_channels, subsets * relations, kernel_init=kaiming_normal(relations), rngs=rngs
        )
        self.psi, self.phi = narrow(), narrow()
        self.theta = nnx.List(PointwiseConv(in_channels, out_channels, rngs=rngs) for _ in range(subsets))
        shape = (subsets, out_channels, relations)
        self.xi_kernel = nnx.Param(kaiming_normal(out_channels)(rngs.params(), shape, jnp.float32))
        self.xi_bias = nnx.Param(jnp.zeros(shape[:2]))

    def __call__(self, x: jax.Array, adjacency: jax.Array, alpha: jax.Array) -> jax.Array:
        """
        Args:
          x: (I, N, T, V).
          adjacency: A (K, U, V), what joint v gives to joint u = 1 … V.
          alpha: scalar, the share of the refinement.

        Returns:
          y (O, N, T, V).
        """
        mean = x.mean(2)
        psi, phi = jnp.split(self.psi(mean), self.subsets), jnp.split(self.phi(mean), self.subsets)
        subsets = []
        for k, theta in enumerate(self.theta):
            # A and the bias of ξ ride along as two more relations, with the weights 1 and bias.
            learned = jnp.tanh(psi[k][:, :, :, None] - phi[k][:, :, None, :])
            shared = jnp.broadcast_to(adjacency[k], (1, *learned.shape[1:])).astype(x.dtype)
            relations = jnp.concatenate([learned, shared, jnp.ones_like(shared)])
            bias = alpha * self.xi_bias[k]
            xi = jnp.column_stack([alpha * self.xi_kernel[k], jnp.ones_like(bias), bias])
            subsets.append(Subset(theta.kernel[...], theta.bias[...], relations, xi))
        return jax.lax.platform_dependent(x, subsets, cpu=aggregate_by_subset, default=aggregate_at_once)


class Subset(NamedTuple):
    """What the part k of the sum is made of.

    Attributes:
      kernel, bias: of θ_k, (O, I) and (O,).
      relations: between the joints, (R, N, U, V).
      xi: their weights in the topology R_k, (O, R).
    """

    kernel: jax.Array
    bias: jax.Array
    relations: jax.Array
    xi: jax.Array


def aggregate_by_subset(x: jax.Array, subsets: Sequence[Subset]) -> jax.Array:
    """The sum over k, (I, N, T, V) to (O, N, T, V)."""
    return sum(
        mix_joints(affine(part.kernel, part.bias, x), product(part.xi, part.relations)) for part in subsets
    )


def aggregate_at_once(x: jax.Array, subsets: Sequence[Subset]) -> jax.Array:
    """The same in few and large steps, for a device that waits for its memory rather than for arithmetic."""
    kernels, biases, relations, xi = zip(*subsets, strict=True)
    transformed = product(jnp.concatenate(kernels), x).reshape(len(kernels), -1, *x.shape[1:])
    flat = jnp.stack(xi).astype(x.dtype) @ jnp.stack([part.reshape(len(part), -1) for part in relations])
    topology = flat.reshape(*flat.shape[:2], *relations[0].shape[1:])
    y = jnp.matmul(transformed, topology.swapaxes(-1, -2)).sum(0)
    # The bias of θ_k is the same at all joints v: what comes of it, the sums over v of R_k say.
    weights = jnp.concatenate([bias[:, None] * part for bias, part in zip(biases, xi, strict=True)], axis=1)
    shares = product(weights, jnp.concatenate([part.sum(-1) for part in relations]))[:, :, None]
    return add_spread(y, shares.astype(weights.dtype))


@jax.custom_vjp
def mix_joints(x: jax.Array, topology: jax.Array) -> jax.Array:
    """Each channel's own sums over the joints: y[c, n, t, u] = Σ_v topology[c, n, u, v] x[c, n, t, v].

    This and both its gradients are many small matrix products, for which XLA's CPU backend has fast kernels
    only of factors that lie in memory as they are multiplied: the transposed ones are written out.
    """
    return jnp.matmul(x, _transposed(topology))


def _mix_joints_forward(x, topology):
    return mix_joints(x, topology), (x, topology)


def _mix_joints_backward(factors, cotangent):
    x, topology = factors
    return jnp.matmul(cotangent, topology), jnp.matmul(_transposed(cotangent), x)


def _transposed(matrices: jax.Array) -> jax.Array:
    # The barrier keeps XLA from making the transposition part of the product.
    return jax.lax.optimization_barrier(matrices.swapaxes(2, 3))


mix_joints.defvjp(_mix_joints_forward, _mix_joints_backward)


class MultiScaleTemporalConv(nnx.Module):
    """The temporal half of a block: four branches, a quarter of the channels each.

    All begin with a 1×1 convolution, done at once in `reduce`. Two go on with a convolution, of dilation 1
    and 2, the third with a max-pool, all three after batch norm and ReLU; the fourth is left as it is. A
    batch norm over the joined branches ends them.
    """

    DILATIONS = (1, 2)

    def __init__(self, channels: int, stride: int, *, rngs: nnx.Rngs):
        self.stride = stride
        branch = channels // 4
        self.normed = 3 * branch
        near_one = normal(0.02, mean=1.0)
        self.reduce = PointwiseConv(channels, 4 * branch, kernel_init=kaiming_normal(branch), rngs=rngs)
        self.reduce_norm = BatchNorm(self.normed, scale_init=near_one, rngs=rngs)
        self.dilated = nnx.List(
            TemporalConv(branch, branch, width=5, stride=stride, dilation=dilation, rngs=rngs)
            for dilation in self.DILATIONS
        )
        self.norm = BatchNorm(4 * branch, scale_init=near_one, rngs=rngs)

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """(C, N, T, V) to (C, N, (T − 1) // stride + 1, V)."""
        reduced, bias = self.reduce.without_bias(x), self.reduce.bias[...]
        normed = self.reduce_norm(reduced[: self.normed], train=train, offset=bias[: self.normed])
        *convolved, pooled = jnp.split(nnx.relu(normed), 3)
        branches = [conv.without_bias(y) for conv, y in zip(self.dilated, convolved, strict=True)]
        branches.append(max_pool_frames(pooled, width=3, stride=self.stride))
        branches.append(strided_frames(reduced[self.normed :], self.stride))
        none = jnp.zeros(len(pooled), bias.dtype)
        biases = [*(conv.bias[...] for conv in self.dilated), none, bias[self.normed :]]
        return self.norm(jnp.concatenate(branches), train=train, offset=jnp.concatenate(biases))

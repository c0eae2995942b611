"""CTR-GCN: a graph convolution whose topology is refined for each channel (Chen et al., ICCV 2021)."""

import functools

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from rgbd_jax.models.graph_network import ConvNorm, GraphNetwork
from rgbd_jax.models.initializers import kaiming_normal, normal
from rgbd_jax.models.layers import BatchNorm, PointwiseConv, TemporalConv, max_pool_frames
from rgbd_jax.models.skeleton_graph import LAYOUTS, spatial_adjacency


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
        adaptive: bool = True,
        drop_out: float = 0.0,
        dtype: DTypeLike | None = None,
        rngs: nnx.Rngs,
    ):
        """
        Args:
          layout: a key of `LAYOUTS`.
          adaptive: learn the adjacency that all samples share, instead of keeping it.
          base_width, drop_out, dtype: see `GraphNetwork`.
        """
        super().__init__(
            num_classes=num_classes,
            layout=LAYOUTS[layout],
            num_persons=num_persons,
            spatial=functools.partial(GraphConv, layout=layout, adaptive=adaptive, rngs=rngs),
            temporal=functools.partial(MultiScaleTemporalConv, rngs=rngs),
            in_channels=in_channels,
            base_width=base_width,
            drop_out=drop_out,
            dtype=dtype,
            rngs=rngs,
        )


class GraphConv(nnx.Module):
    """The spatial half of a block: CTR-GC over the three subsets of the graph, batch norm, residual, ReLU (figure 3a)."""

    def __init__(self, in_channels: int, out_channels: int, *, layout: str, adaptive: bool, rngs: nnx.Rngs):
        graph = LAYOUTS[layout]
        subsets = spatial_adjacency(graph)
        self.graph = graph
        self.adjacency = nnx.Param(jnp.asarray(subsets, jnp.float32)) if adaptive else None
        self.alpha = nnx.Param(jnp.zeros(()))
        self.refinement = CTRGC(in_channels, out_channels, subsets=len(subsets), rngs=rngs)
        # Starts at almost nothing, so that a fresh block is its residual path.
        self.norm = BatchNorm(out_channels, scale_init=nnx.initializers.constant(1e-6), rngs=rngs)
        self.shortcut = (
            ConvNorm(in_channels, out_channels, rngs=rngs) if in_channels != out_channels else None
        )

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """(I, N, T, V) to (O, N, T, V)."""
        adjacency = spatial_adjacency(self.graph) if self.adjacency is None else self.adjacency[...]
        y = self.norm(self.refinement(x, jnp.asarray(adjacency, x.dtype), self.alpha[...]), train=train)
        return nnx.relu(y + (x if self.shortcut is None else self.shortcut(x, train=train)))


class CTRGC(nnx.Module):
    """Channel-wise topology refinement graph convolution, all K subsets of the graph at once (section 3.2).

    For each subset k, with the shared adjacency A_k of the graph,

        R_k[c, n, u, v] = A_k[u, v] + α ξ(tanh(ψ(x̄)[n, u] − φ(x̄)[n, v]))[c],    x̄ the mean of x over T,
        y[c, n, t, u] = Σ_k Σ_v R_k[c, n, u, v] θ_k(x)[c, n, t, v]

    where ψ, φ, ξ and θ are 1×1 convolutions. The publication takes the mean after ψ and φ, which is the same and slower.
    """

    def __init__(self, in_channels: int, out_channels: int, *, subsets: int, rngs: nnx.Rngs):
        self.subsets = subsets
        relations = 8 if in_channels in (3, 9) else in_channels // 8
        conv = functools.partial(PointwiseConv, in_channels, rngs=rngs)
        self.psi = conv(subsets * relations, kernel_init=kaiming_normal(relations))
        self.phi = conv(subsets * relations, kernel_init=kaiming_normal(relations))
        self.theta = conv(subsets * out_channels, kernel_init=kaiming_normal(out_channels))
        # ξ differs between the subsets in its input too.
        xi = kaiming_normal(out_channels)(rngs.params(), (subsets, out_channels, relations), jnp.float32)
        self.xi_kernel = nnx.Param(xi)
        self.xi_bias = nnx.Param(jnp.zeros((subsets, out_channels)))

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
        flat = x.reshape(len(x), -1)
        psi = jnp.split(self.psi(mean), self.subsets)
        phi = jnp.split(self.phi(mean), self.subsets)
        kernels = jnp.split(self.theta.kernel[...].astype(x.dtype), self.subsets)
        biases = jnp.split(self.theta.bias[...].astype(x.dtype), self.subsets)
        y = 0
        for k in range(self.subsets):
            topology = self._topology(psi[k], phi[k], adjacency[k], alpha * self.xi_kernel[k], alpha * self.xi_bias[k])
            theta = (kernels[k] @ flat + biases[k][:, None]).reshape(-1, *x.shape[1:])
            y = y + jnp.matmul(theta, topology)
        return y

    def _topology(self, psi, phi, adjacency, kernel, bias) -> jax.Array:
        """R transposed, (O, N, V, U), of one subset."""
        relations = jnp.tanh(psi[:, :, None, :] - phi[:, :, :, None])
        shared = jnp.broadcast_to(adjacency.T, (1, *relations.shape[1:]))
        relations = jnp.concatenate([relations, shared, jnp.ones_like(shared)])
        kernel = jnp.concatenate([kernel, jnp.ones_like(bias)[:, None], bias[:, None]], axis=1).astype(psi.dtype)
        return (kernel @ relations.reshape(len(relations), -1)).reshape(-1, *relations.shape[1:])


class MultiScaleTemporalConv(nnx.Module):
    """The temporal half of a block: four branches, a quarter of the channels each (figure 3b).

    Two convolutions with dilations 1 and 2, a max-pool, and a plain 1×1 convolution. The first three begin with a 1×1
    convolution, batch norm and ReLU, done for all of them at once in `reduce`; all four end in a batch norm, `norm`.
    """

    DILATIONS = (1, 2)

    def __init__(self, channels: int, stride: int, *, rngs: nnx.Rngs):
        self.stride = stride
        branch = channels // 4
        conv = functools.partial(PointwiseConv, channels, kernel_init=kaiming_normal(branch), rngs=rngs)
        norm = functools.partial(BatchNorm, scale_init=normal(0.02, mean=1.0), rngs=rngs)
        self.reduce = conv(3 * branch)
        self.reduce_norm = norm(3 * branch)
        self.dilated = nnx.List(
            TemporalConv(branch, branch, width=5, stride=stride, dilation=dilation, rngs=rngs)
            for dilation in self.DILATIONS
        )
        self.pointwise = conv(branch)
        self.norm = norm(channels)

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """(C, N, T, V) to (C, N, (T − 1) // stride + 1, V)."""
        reduced = nnx.relu(self.reduce_norm(self.reduce(x), train=train))
        *convolved, pooled = jnp.split(reduced, 3)
        branches = [conv(y) for conv, y in zip(self.dilated, convolved, strict=True)]
        branches.append(max_pool_frames(pooled, width=3, stride=self.stride))
        branches.append(self.pointwise(x[:, :, :: self.stride]))
        return self.norm(jnp.concatenate(branches), train=train)

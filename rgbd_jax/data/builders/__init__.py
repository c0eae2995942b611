"""One builder a data set: from its published files to records."""

from rgbd_jax.data.builders.nw_ucla import NwUcla
from rgbd_jax.data.builders.skeleton_builder import SkeletonBuilder

BUILDERS: dict[str, type[SkeletonBuilder]] = {builder.name: builder for builder in (NwUcla,)}

"""One builder a data set: from its published files to records."""

from rgbd_jax.data.builders.nw_ucla import NwUcla
from rgbd_jax.data.builders.skeleton_builder import SkeletonBuilder
from rgbd_jax.data.builders.synthetic import Synthetic
from rgbd_jax.errors import UserError

BUILDERS: dict[str, type[SkeletonBuilder]] = {builder.name: builder for builder in (NwUcla, Synthetic)}


def builder_class(name: str) -> type[SkeletonBuilder]:
    """The builder of the data set `name`. UserError if there is none."""
    if name not in BUILDERS:
        raise UserError(f"data set {name!r}: is not known; available are {', '.join(BUILDERS)}")
    return BUILDERS[name]

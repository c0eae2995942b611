"""One builder a data set: from its published files to records."""

from collections.abc import Mapping
from typing import Any

from rgbd_jax.data.builders.builder import Builder
from rgbd_jax.data.builders.custom import Custom
from rgbd_jax.data.builders.custom_skeletons import CustomSkeletons
from rgbd_jax.data.builders.isogd import Isogd
from rgbd_jax.data.builders.jester import Jester
from rgbd_jax.data.builders.ntu import Ntu60, Ntu120
from rgbd_jax.data.builders.ntu_rgbd import NtuRgbd
from rgbd_jax.data.builders.nvgesture import Nvgesture
from rgbd_jax.data.builders.nw_ucla import NwUcla
from rgbd_jax.data.builders.synthetic import Synthetic
from rgbd_jax.data.builders.synthetic_rgbd import SyntheticRgbd
from rgbd_jax.data.builders.thu_read import ThuRead
from rgbd_jax.errors import UserError

BUILDERS: dict[str, type[Builder]] = {
    builder.name: builder
    for builder in (
        NwUcla,
        Ntu60,
        Ntu120,
        Synthetic,
        SyntheticRgbd,
        NtuRgbd,
        Isogd,
        Nvgesture,
        ThuRead,
        Jester,
        Custom,
        CustomSkeletons,
    )
}


def builder_class(name: str) -> type[Builder]:
    """The builder of the data set `name`. UserError if there is none."""
    if name not in BUILDERS:
        raise UserError(f"data set {name!r}: is not known; available are {', '.join(BUILDERS)}")
    return BUILDERS[name]


def reading_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """What `config.data` says about how its clips are read. UserError if the data set is not known."""
    return {key: data[key] for key in builder_class(data["name"]).READING if key in data}

"""What the network of a config costs, found by tracing alone: nothing is allocated, compiled or computed."""

import dataclasses
from collections import Counter
from typing import Any

import jax
from ml_collections import ConfigDict

from rgbd_jax.data.random_clips import configured_shape, random_batch
from rgbd_jax.experiment import Experiment, fresh_network, prepare_sharded
from rgbd_jax.tasks.task import Batch
from rgbd_jax.training import sharding
from rgbd_jax.training.flops import count_flops
from rgbd_jax.training.state import TrainState, num_parameters


@dataclasses.dataclass(frozen=True)
class Costs:
    """Of one sample; preparation on the device included, in which there are few products.

    Attributes:
      inputs: shapes of what the network is given.
      parameters: of the network, with those that only training needs.
      prediction_flops: from the raw clip to the scores.
      training_flops: its share of a training step.
    """

    inputs: tuple[tuple[int, ...], ...]
    parameters: int
    prediction_flops: float
    training_flops: float


def costs_of(config: ConfigDict) -> Costs:
    """The costs of a sample in batches of `config.batch_size` random clips of the config's data set.

    Raises:
      UserError: if the config does not fit the task, or the shape of its data set is not known.
    """
    shape, mesh = configured_shape(config.data), sharding.make_mesh(jax.devices()[:1])
    batch = abstract_batch(random_batch(shape, 1), config.batch_size)
    made = []

    def start() -> TrainState:
        made.append(Experiment.build(config, shape, 1, mesh))
        return made[0].fresh_state()

    state = jax.eval_shape(start)
    (experiment,) = made

    def prepare(batch: Batch) -> Any:
        return prepare_sharded(experiment.task, batch, jax.random.key(config.seed), mesh, train=False)

    prediction = jax.make_jaxpr(experiment.compiled_prediction())(state.params, state.batch_stats, batch)
    training = jax.make_jaxpr(experiment.train_step)(state, batch)
    return Costs(
        inputs=tuple(leaf.shape[1:] for leaf in jax.tree.leaves(jax.eval_shape(prepare, batch))),
        parameters=num_parameters(state.params),
        prediction_flops=count_flops(prediction) / config.batch_size,
        training_flops=count_flops(training) / config.batch_size,
    )


def parameters_of(config: ConfigDict) -> int:
    """The number of parameters alone, which is found sooner. UserError as of `costs_of`."""
    shape = configured_shape(config.data)
    return num_parameters(jax.eval_shape(lambda: fresh_network(config, shape)[1].params))


def abstract_batch(batch: dict[str, Any], batch_size: int) -> Batch:
    """Shapes and dtypes of so many samples like those of `batch`, without their text."""
    return {
        name: jax.ShapeDtypeStruct((batch_size, *rows.shape[1:]), rows.dtype)
        for name, rows in batch.items()
        if rows.dtype.kind != "U"
    }


def shape_text(inputs: tuple[tuple[int, ...], ...]) -> str:
    """Shapes for people, equal ones together: `2 of 64×224×224×3`."""
    counts = Counter("×".join(map(str, shape)) for shape in inputs)
    return ", ".join(text if count == 1 else f"{count} of {text}" for text, count in counts.items())

"""A text transformer that is trained with the network, and where it comes from."""

import contextlib
import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from weight_files import clip_tensors, write_prompts, write_safetensors, write_vocabulary

from rgbd_jax.config import load_file, override
from rgbd_jax.data.random_clips import configured_shape, random_batch
from rgbd_jax.errors import UserError
from rgbd_jax.experiment import Experiment
from rgbd_jax.main import main
from rgbd_jax.models.clip_text import CLIPText
from rgbd_jax.tasks import make_task, text_supervision
from rgbd_jax.text.prompts import prompt_file, read_prompts
from rgbd_jax.text.tokenizer import END
from rgbd_jax.training import sharding
from rgbd_jax.training.state import Network
from rgbd_jax.weights.clip_text import IGNORED, clip_text_rules
from rgbd_jax.weights.rules import convert

SMALL = dict(width=64, num_blocks=2, text_width=16)
RATIO = 0.25
CLASSES = 10
BATCH = 16
STEPS = 5


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with a small transformer, a vocabulary, and short prompts for two data sets."""
    folder = tmp_path_factory.mktemp("clip")
    write_safetensors(folder / "small.safetensors", clip_tensors(**SMALL))
    write_vocabulary(folder / "vocabulary.gz")
    for data_set in ("nw_ucla", "synthetic"):
        write_prompts(folder / f"{data_set}.txt", read_prompts(prompt_file(data_set)).names)
    return folder


def clip_options(files, data_set="nw_ucla", weights="small"):
    return [
        "--config.text.source=clip",
        f"--config.text.width={SMALL['text_width']}",
        f"--config.text.weights={files / weights}.safetensors",
        f"--config.text.vocabulary={files / 'vocabulary.gz'}",
        f"--config.text.prompts={files / data_set}.txt",
    ]


def gap_config(files, *overrides, weights="small"):
    """GAP of one block, with a schedule that does nothing to the rate."""
    changes = [f"--config.batch_size={BATCH}", f"--config.schedule.reference_batch={BATCH}"]
    changes += ["--config.schedule.name=constant", "--config.schedule.warm_up=0.0"]
    changes += ["--config.model.stages=(1,)"]
    config = load_file("configs/gap/nw_ucla.py:joint,debug")
    return override(config, [*changes, *clip_options(files, weights=weights), *overrides])


def train(config, *, num_devices=1, num_steps=2, dtype=np.float32):
    """The parameters before and after each of some steps on random clips."""
    mesh = sharding.make_mesh(jax.devices()[:num_devices])
    shape = configured_shape(config.data)
    experiment = Experiment.build(config, shape, 1, mesh)
    network = experiment.network
    network.params, network.batch_stats = jax.tree.map(
        lambda leaf: np.asarray(leaf, dtype), (network.params, network.batch_stats)
    )
    state = experiment.initial_state()
    step = jax.jit(experiment.train_step, out_shardings=sharding.replicated(mesh))
    params = [sharding.to_host(state.params)]
    for number in range(num_steps):
        batch = random_batch(shape, BATCH, seed=number)
        batch["joints"] = batch["joints"].astype(dtype)
        state, figures = step(state, sharding.put_batch(batch, mesh))
        assert int(figures["skipped"]) == 0
        params.append(sharding.to_host(state.params))
    return params


@contextlib.contextmanager
def in_float64():
    """Also in the threads of callbacks, which a context manager of JAX does not reach."""
    jax.config.update("jax_enable_x64", True)
    try:
        with jax.numpy_dtype_promotion("standard"):
            yield
    finally:
        jax.config.update("jax_enable_x64", False)


def largest_change(before, after):
    changes = jax.tree.map(lambda a, b: np.abs(a - b).max(), before, after)
    return max(jax.tree.leaves(changes))


# ---------------------------------------------------------------------- against PyTorch


@pytest.fixture(scope="module")
def learnt(files):
    """The parameters of some steps in float64, on one device; and what went into the transformer and into the
    loss in each step, in lists by name."""
    seen = {"tokens": [], "loss": []}
    encode, losses = CLIPText.__call__, text_supervision.contrastive_losses

    def recording_encode(self, tokens):
        jax.debug.callback(seen["tokens"].append, tokens, ordered=True)
        return encode(self, tokens)

    def recording_losses(*arguments):
        jax.debug.callback(lambda *arrays: seen["loss"].append(arrays), *arguments, ordered=True)
        return losses(*arguments)

    config = gap_config(files, f"--config.text.lr_ratio={RATIO}")
    with pytest.MonkeyPatch.context() as patch, in_float64():
        patch.setattr(CLIPText, "__call__", recording_encode)
        patch.setattr(text_supervision, "contrastive_losses", recording_losses)
        params = train(config, num_steps=STEPS, dtype=np.float64)
        jax.effects_barrier()
    return config, params, seen


def torch_encode(torch, weights, tokens):
    """CLIP's text transformer."""
    functional = torch.nn.functional

    def dense(x, name, suffix="."):
        return functional.linear(x, weights[f"{name}{suffix}weight"], weights[f"{name}{suffix}bias"])

    def norm(x, name):
        return functional.layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"])

    texts, length = tokens.shape
    x = weights["token_embedding.weight"][tokens] + weights["positional_embedding"][:length]
    for i in range(SMALL["num_blocks"]):
        block = f"transformer.resblocks.{i}"
        qkv = dense(norm(x, f"{block}.ln_1"), f"{block}.attn.in_proj", "_")
        query, key, value = qkv.reshape(texts, length, 3, -1, 64).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + dense(mixed.transpose(1, 2).reshape(x.shape), f"{block}.attn.out_proj")
        hidden = dense(norm(x, f"{block}.ln_2"), f"{block}.mlp.c_fc")
        x = x + dense(hidden * torch.sigmoid(1.702 * hidden), f"{block}.mlp.c_proj")
    ends = norm(x, "ln_final")[torch.arange(texts), tokens.argmax(1)]
    return ends @ weights["text_projection"]


def torch_loss(torch, features, texts, scales, labels):
    """GAP's contrastive loss, the mean of its five terms."""
    functional = torch.nn.functional
    target = functional.softmax(10.0 * (labels[:, None] == labels[None]).double(), dim=1)
    terms = []
    for feature, text, scale in zip(features, texts, scales, strict=True):
        logits = scale * functional.normalize(feature) @ functional.normalize(text).T
        terms += [
            functional.kl_div(functional.log_softmax(found, dim=1), target, reduction="batchmean")
            for found in (logits, logits.T)
        ]
    return sum(terms) / len(terms)


def test_each_class_is_encoded_once_in_a_step(learnt):
    """However many clips are in the batch; and each step draws anew."""
    _, _, seen = learnt
    assert BATCH > CLASSES
    assert [len(tokens) for tokens in seen["tokens"]] == [5 * CLASSES] * STEPS
    draws = {np.asarray(tokens).tobytes() for tokens in seen["tokens"]}
    assert len(draws) > 1


def test_five_steps_are_those_of_pytorch(learnt):
    """The transformer learns from the same features as PyTorch's does, at its share of the network's rate."""
    torch = pytest.importorskip("torch", exc_type=ImportError)
    config, params, seen = learnt
    tensors = clip_tensors(**SMALL)
    weights = {
        name: torch.tensor(tensor, dtype=torch.float64, requires_grad=True)
        for name, tensor in tensors.items()
        if name not in ("visual.class_embedding", "logit_scale")
    }
    optimizer = torch.optim.SGD(
        weights.values(),
        lr=RATIO * config.schedule.base_lr,
        momentum=config.optimizer.momentum,
        nesterov=config.optimizer.nesterov,
        weight_decay=config.optimizer.weight_decay,
    )
    for tokens, arrays in zip(seen["tokens"], seen["loss"], strict=True):
        features, texts, scales, labels = (torch.tensor(np.array(array)) for array in arrays)
        vectors = torch_encode(torch, weights, torch.tensor(np.array(tokens)).long())
        of_samples = vectors.reshape(5, CLASSES, -1)[:, labels.long()]
        np.testing.assert_allclose(texts.numpy(), of_samples.detach().numpy(), rtol=1e-9, atol=1e-12)
        loss = config.task.text_weight * torch_loss(torch, features, of_samples, scales, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    tensors = {name: tensor.detach().numpy() for name, tensor in weights.items()}
    first, last = (params[step]["text_tower"]["transformer"] for step in (0, STEPS))
    theirs = convert(tensors, clip_text_rules(tensors), IGNORED, {"params": last})["params"]
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-12), last, theirs)
    assert largest_change(first, last) > 1e-4


# ---------------------------------------------------------------------- the step


@pytest.mark.slow
def test_eight_devices_equal_one(learnt):
    config, one, _ = learnt
    with in_float64():
        eight = train(config, num_devices=8, dtype=np.float64)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-8, atol=1e-10), eight, one[:3])


@pytest.mark.slow
def test_without_a_rate_the_transformer_stays_as_it_is(files):
    before, *_, after = train(gap_config(files, "--config.text.lr_ratio=0.0"))
    jax.tree.map(np.testing.assert_array_equal, after.pop("text_tower"), before.pop("text_tower"))
    assert largest_change(before, after) > 1e-3


def test_a_frozen_transformer_costs_no_gradient(files):
    """Its intermediate results need not be kept."""
    shapes = []
    for ratio in (0.0, 1.0):
        config = gap_config(files, f"--config.text.lr_ratio={ratio}")
        tower = make_task(config, configured_shape(config.data), training=True)._text.tower
        structure, params = nnx.split(tower)
        gradient = jax.make_jaxpr(
            jax.grad(lambda params, s=structure: nnx.merge(s, params)(jax.random.key(0)).sum())
        )(params)
        shapes.append(len(str(gradient)))
    assert shapes[0] < 0.7 * shapes[1]


def test_video_is_taught_by_the_same_transformer(files):
    config = override(
        load_file("configs/demo_rgbd.py:rgb,debug"),
        ["--config.task.text_weight=0.5", *clip_options(files, "synthetic")],
    )
    shape = configured_shape(config.data)
    task = make_task(config, shape, training=True)
    network = Network(task.network(nnx.Rngs(0)))
    batch = {name: rows for name, rows in random_batch(shape, 2).items() if name != "id"}

    def losses(params, batch, train):
        key = jax.random.key(0)
        inputs = task.prepare(batch, key, train=train)
        outputs, _ = network.apply(params, network.batch_stats, inputs, train=train, key=key)
        return outputs, task.loss(outputs, batch, jnp.int32(0), key) if train else None

    outputs, (_, sums) = jax.eval_shape(lambda p, b: losses(p, b, True), network.params, batch)
    assert outputs["class_texts"].shape == (5, CLASSES, SMALL["text_width"])
    assert set(sums) == set(task.reported) and "text_loss" in sums
    outputs, _ = jax.eval_shape(lambda p, b: losses(p, b, False), network.params, batch)
    assert "class_texts" not in outputs


# ---------------------------------------------------------------------- a whole run


def test_a_run_needs_the_files_to_train_but_not_to_evaluate(files, synthetic_data, tmp_path, monkeypatch):
    one_device = sharding.make_mesh(jax.devices()[:1])
    monkeypatch.setattr(sharding, "make_mesh", lambda devices=None, fsdp=1: one_device)
    weights = files / "small.safetensors"
    config = ["--config=configs/demo.py:debug", f"--config.data.data_dir={synthetic_data}"]
    config += ["--config.model.name=gap", "--config.task.text_weight=1.0", "--config.num_epochs=2"]
    config += ["--config.ema_decay=0.5", *clip_options(files, "synthetic")]
    run = tmp_path / "run"
    main([*config, f"--workdir={run}", "--config.stop_epoch=1"])
    main([*config, f"--workdir={run}"])
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    epochs = [row for row in rows if row["kind"] == "epoch"]
    assert [row["epoch"] for row in epochs] == [0, 0, 1, 1]
    assert all(row["text_loss"] > 0.01 for row in epochs if row["split"] == "train")

    weights.rename(tmp_path / "moved")
    (files / "vocabulary.gz").rename(tmp_path / "vocabulary.gz")
    (files / "synthetic.txt").rename(tmp_path / "synthetic.txt")
    try:
        main(["--mode=eval", f"--workdir={run}"])
        evaluated = json.loads((run / "eval" / "metrics.json").read_text())
        assert epochs[-1]["split"] == "valid"
        assert evaluated["top1"] == pytest.approx(epochs[-1]["top1"])
        assert evaluated["loss"] == pytest.approx(epochs[-1]["loss"], rel=1e-5)
    finally:
        (tmp_path / "moved").rename(weights)
        for name in ("vocabulary.gz", "synthetic.txt"):
            (tmp_path / name).rename(files / name)


# ---------------------------------------------------------------------- mistakes


def changed(files, **sizes):
    """The name of a file of weights that does not fit."""
    name = "_".join(sizes)
    write_safetensors(files / f"{name}.safetensors", clip_tensors(**SMALL | sizes))
    return name


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"text_width": 24}, "makes vectors that are 24 wide; found config.text.width=16, set it to 24"),
        ({"width": 48}, "found a width of 48; a multiple of 64 is needed"),
        ({"vocabulary": 9000}, f"is for 9000 different tokens; these prompts need {END + 1}"),
        ({"context": 5}, "is for 5 tokens in a text; these prompts need"),
    ],
)
def test_a_transformer_that_does_not_fit_is_refused(files, sizes, message):
    name = changed(files, **sizes)
    with pytest.raises(UserError, match=f"{name}.safetensors: {message}"):
        build(gap_config(files, weights=name))


def build(config):
    return make_task(config, configured_shape(config.data), training=True)


def test_weights_that_are_no_transformers_are_refused(files):
    write_safetensors(files / "head.safetensors", {"fc.weight": np.zeros((2, 3), np.float32)})
    with pytest.raises(UserError, match=r"head.safetensors: the weights of CLIP's text transformer have"):
        build(gap_config(files, weights="head"))
    tensors = clip_tensors(**SMALL)
    del tensors["text_projection"]
    write_safetensors(files / "unfinished.safetensors", tensors)
    with pytest.raises(UserError, match=r"unfinished.safetensors: .* have text_projection, of two axes"):
        build(gap_config(files, weights="unfinished"))
    del tensors["ln_final.bias"]
    tensors["text_projection"] = clip_tensors(**SMALL)["text_projection"]
    write_safetensors(files / "shorter.safetensors", tensors)
    with pytest.raises(UserError, match=r"shorter.safetensors: .* params/norm/bias: no tensor fills it"):
        build(gap_config(files, weights="shorter"))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["--config.text.weights="], "config.text.weights: a file is needed .*: CLIP's weights, ViT-B-32.pt"),
        (["--config.text.vocabulary="], "config.text.vocabulary: a file is needed .*: CLIP's vocabulary"),
        (["--config.text.weights=gone.pt"], "gone.pt: cannot be read"),
        (["--config.text.weights=gone.safetensors"], "gone.safetensors: cannot be read"),
        (["--config.text.vocabulary=gone.txt"], "gone.txt: there is no such file; CLIP's vocabulary is"),
        # With this vocabulary nearly every letter is a token.
        (["--config.text.prompts="], r"has \d+ tokens; allowed are 77"),
    ],
)
def test_what_is_missing_or_too_long_is_named(files, overrides, message):
    with pytest.raises(UserError, match=message):
        build(gap_config(files, *overrides))

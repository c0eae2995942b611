"""Files of features fit their prompts or say why not; the shipped ones fit the shipped prompts."""

import sys
import types

import numpy as np
import pytest
from golden.weights import golden_array

from rgbd_jax.errors import UserError
from rgbd_jax.text.features import embed, feature_file, read_features, write_features
from rgbd_jax.text.prompts import SHIPPED, ClassPrompts, Prompts, prompt_file, read_prompts


def prompts_of(*words):
    return Prompts("mine.txt", tuple(ClassPrompts(w, (w,), (w, f"{w} b", f"{w} c", f"{w} d")) for w in words))


@pytest.fixture
def stored(tmp_path):
    """A file of features, and what they were made of."""
    prompts = prompts_of("wave", "run")
    vectors = golden_array("vectors", (len(prompts.texts), 6), "normal")
    path = tmp_path / "features.npz"
    write_features(path, prompts.texts, vectors, "models/tiny")
    return path, prompts, vectors


@pytest.mark.parametrize("data_set", SHIPPED)
def test_those_that_come_with_the_package(data_set):
    prompts = read_prompts(prompt_file(data_set))
    vectors = read_features(feature_file(data_set), prompts, encoder="all-MiniLM-L6-v2", width=384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert len(np.unique(vectors, axis=0)) == len(prompts.texts)


def test_the_shipped_vectors_know_what_is_alike():
    """Ranks that any good encoder gives: words for the same are nearer than those of another class."""
    prompts = read_prompts(prompt_file("nw_ucla"))
    vectors = dict(zip(prompts.texts, read_features(feature_file("nw_ucla"), prompts), strict=True))
    assert vectors["sit down"] @ vectors["take a seat"] > vectors["sit down"] @ vectors["throw a ball"]
    assert vectors["throw"] @ vectors["throw a ball"] > vectors["throw"] @ vectors["take a seat"]


def test_rows_follow_the_prompts(stored):
    path, prompts, vectors = stored
    np.testing.assert_allclose(read_features(path, prompts), vectors, rtol=1e-3)
    turned = prompts.select(["run", "wave"])
    order = [prompts.texts.index(text) for text in turned.texts]
    np.testing.assert_allclose(read_features(path, turned), vectors[order], rtol=1e-3)


def test_half_precision_keeps_three_decimals_of_a_cosine(tmp_path):
    prompts = prompts_of(*(f"word {i}" for i in range(20)))
    vectors = golden_array("unit", (len(prompts.texts), 384), "normal")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    write_features(tmp_path / "features.npz", prompts.texts, vectors, "tiny")
    read = read_features(tmp_path / "features.npz", prompts)
    np.testing.assert_allclose(read @ read.T, vectors @ vectors.T, atol=1e-3)


def test_another_encoder(stored):
    path, prompts, _ = stored
    read_features(path, prompts, encoder="elsewhere/tiny")
    with pytest.raises(UserError, match=r"features\.npz: is from the encoder tiny; large is asked for"):
        read_features(path, prompts, encoder="models/large")


def test_another_width(stored):
    path, prompts, _ = stored
    read_features(path, prompts, width=6)
    with pytest.raises(UserError, match=r"has vectors 6 wide, from the encoder tiny; 512 is needed"):
        read_features(path, prompts, width=512)


def test_stale_prompts(stored):
    path, _, _ = stored
    with pytest.raises(UserError, match=r"other prompts; lacks 4 of the 8 texts of mine\.txt.*'jump'"):
        read_features(path, prompts_of("wave", "jump"))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"hashes": None}, "lacks hashes; a file of features has"),
        ({"vectors": np.zeros((3, 6), np.float16)}, "one vector for each hash is needed"),
        ({"vectors": np.zeros((8, 6), np.float16)}, "has vectors that are 0 or not finite"),
        ({"vectors": np.full((8, 6), np.nan, np.float16)}, "has vectors that are 0 or not finite"),
        ({"vectors": np.full(8, object())}, "is no file of features"),
    ],
)
def test_damaged_files(stored, change, message):
    path, prompts, _ = stored
    with np.load(path) as archive:
        arrays = dict(archive) | change
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(UserError) as error:
        read_features(path, prompts)
    assert str(error.value).startswith(str(path)) and message in str(error.value)


def test_no_file(stored, tmp_path):
    _, prompts, _ = stored
    with pytest.raises(UserError, match=r"there is no such file of features; .*rgbd_jax\.embed"):
        read_features(tmp_path / "none.npz", prompts)
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(UserError, match="is no file of features"):
        read_features(tmp_path / "text.npz", prompts)


def library(load):
    module = types.ModuleType("sentence_transformers")
    module.SentenceTransformer = load
    return module


def test_no_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(UserError, match=r"encoder tiny: .*launch/environment\.sh torch` installs it"):
        embed(["wave"], "tiny")


def test_no_encoder(monkeypatch):
    def load(encoder, device):
        raise OSError(f"no network for {encoder} on {device}\nand advice")

    monkeypatch.setitem(sys.modules, "sentence_transformers", library(load))
    with pytest.raises(
        UserError, match=r"cannot be loaded \(no network for tiny on cpu\); give the name of a"
    ):
        embed(["wave"], "tiny")

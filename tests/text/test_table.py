"""The draw of texts for each sample, on the device."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rgbd_jax.text.prompts import ClassPrompts, Prompts
from rgbd_jax.text.source import feature_table, find_prompts
from rgbd_jax.text.table import class_vectors, distinctions, draw_texts, text_labels, text_table

PROMPTS = Prompts(
    "mine.txt",
    (
        ClassPrompts("wave", ("wave", "greet", "say hello"), ("still", "hand up", "still", "legs still")),
        ClassPrompts("run", ("run",), ("still", "arms swing", "hips move", "legs run")),
    ),
)


@pytest.fixture(scope="module")
def table():
    """Each row is its number, twice."""
    numbers = np.arange(len(PROMPTS.texts), dtype=np.float32)
    return text_table(PROMPTS, np.stack([numbers, numbers], axis=1))


def words(rows):
    return np.vectorize(PROMPTS.texts.__getitem__)(np.asarray(rows[..., 0], int)).tolist()


def test_each_sample_gets_a_text_of_its_class_and_those_of_the_parts(table):
    labels = jnp.array([1, 0, 0], jnp.int32)
    rows = jax.jit(draw_texts)(table, labels, jax.random.key(0))
    assert rows.shape == (5, 3, 2)
    whole, *parts = words(rows)
    assert whole[0] == "run" and set(whole[1:]) <= {"wave", "greet", "say hello"}
    for i, part in enumerate(parts):
        assert part == [PROMPTS.classes[label].parts[i] for label in (1, 0, 0)]


def test_every_synonym_is_as_likely(table):
    labels = jnp.zeros(3000, jnp.int32)
    whole = words(draw_texts(table, labels, jax.random.key(1)))[0]
    for text in PROMPTS.classes[0].whole:
        # Four standard deviations of the number of hits.
        assert abs(whole.count(text) - 1000) < 4 * np.sqrt(3000 * 1 / 3 * 2 / 3)


def test_another_step_draws_anew_and_the_same_step_the_same(table):
    labels = jnp.zeros(50, jnp.int32)
    first, again, other = (words(draw_texts(table, labels, jax.random.key(i)))[0] for i in (2, 2, 3))
    assert first == again != other


def test_by_sample_it_depends_on_the_key_of_the_sample_alone(table):
    """Under vmap with a key for each sample, the neighbours do not matter."""
    keys = jax.vmap(jax.random.key)(jnp.arange(20))
    labels = jnp.arange(20, dtype=jnp.int32) % 2
    draw = jax.vmap(draw_texts, in_axes=(None, 0, 0), out_axes=1)
    np.testing.assert_array_equal(draw(table, labels, keys)[:, 5:15], draw(table, labels[5:15], keys[5:15]))


def test_samples_share_a_number_where_the_same_is_written(table):
    numbers = np.asarray(text_labels(table, jnp.array([0, 1, 0], jnp.int32)))
    assert numbers.shape == (5, 3)
    assert (numbers[:, 0] == numbers[:, 2]).all()
    # Of the two classes only the head is told the same.
    assert (numbers[:, 0] == numbers[:, 1]).tolist() == [False, True, False, False, False]


def test_tokens_of_all_classes():
    tokens = np.arange(len(PROMPTS.texts) * 4, dtype=np.int32).reshape(-1, 4)
    rows = draw_texts(text_table(PROMPTS, tokens), jnp.arange(2, dtype=jnp.int32), jax.random.key(0))
    assert rows.shape == (5, 2, 4) and rows.dtype == jnp.int32


def test_one_row_for_each_text():
    with pytest.raises(ValueError, match="3 rows for 10 texts"):
        text_table(PROMPTS, np.zeros((3, 2)))


def test_the_vectors_of_the_classes():
    """The mean direction of the texts of the whole; padding counts nothing."""
    rows = np.eye(len(PROMPTS.texts), dtype=np.float32) * np.arange(1, len(PROMPTS.texts) + 1)[:, None]
    vectors = class_vectors(text_table(PROMPTS, rows.astype(np.float32)))
    expected = np.zeros((2, len(PROMPTS.texts)), np.float32)
    expected[0, :3] = 3**-0.5
    expected[1, PROMPTS.texts.index("run")] = 1
    np.testing.assert_allclose(vectors[0], expected, atol=1e-6)
    np.testing.assert_allclose(jnp.linalg.norm(vectors, axis=-1), 1, atol=1e-6)
    np.testing.assert_array_equal(vectors[1, 0], vectors[3, 0])


def test_what_sets_a_class_apart_is_its_direction_from_the_mean():
    vectors = np.zeros((5, 3, 4), np.float32)
    vectors[:] = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]
    vectors[2] = [0.6, 0, 0, 0.8]  # all classes are told the same of this part
    apart = np.asarray(distinctions(jnp.asarray(vectors)))
    np.testing.assert_allclose(apart[0, 0], np.array([2, -1, -1, 0]) / 6**0.5, atol=1e-6)
    np.testing.assert_array_equal(apart[2], 0)
    np.testing.assert_allclose(np.linalg.norm(apart[[0, 1, 3, 4]], axis=-1), 1, atol=1e-6)


def test_the_synthetic_actions_are_known_by_their_descriptions():
    """Of all descriptions of an action, the nearest other action shares a movement with it."""
    prompts = find_prompts("synthetic")
    table = feature_table(prompts, prompts.names, "synthetic")
    vectors = np.asarray(class_vectors(table))
    shared = [[np.mean(np.equal(a.parts, b.parts)) for b in prompts.classes] for a in prompts.classes]
    cosines = (vectors @ vectors.swapaxes(1, 2)).mean(0)
    others = ~np.eye(len(shared), dtype=bool)
    assert np.corrcoef(cosines[others], np.array(shared)[others])[0, 1] > 0.7

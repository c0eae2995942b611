"""Reading many decimal numbers at once."""

import numpy as np
import pytest

from rgbd_jax.data.formats.decimals import read_decimals


def read(fields, before="x ", after=" 9"):
    """The numbers, from the middle of a text."""
    text, begins, ends = before, [], []
    for field in fields:
        begins.append(len(text))
        text += field
        ends.append(len(text))
        text += " "
    return read_decimals((text + after).encode(), np.array(begins, int), np.array(ends, int))


def random_fields(seed, digits):
    """As programs write them: short ones, long ones, with exponents."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=400) * 10.0 ** rng.integers(-8, 5, 400)
    return [
        f"{value:.{precision}g}"
        for value, precision in zip(values, rng.integers(1, digits, 400), strict=True)
    ]


@pytest.mark.parametrize("digits", [3, 8, 15, 20])
def test_numbers_are_those_of_float_to_the_bit(digits):
    fields = random_fields(digits, digits)
    np.testing.assert_array_equal(read(fields).view(np.int64), np.array(fields, float).view(np.int64))


@pytest.mark.parametrize(
    "field",
    ["0", "-0", "-0.0", "7.", ".5", "-.5", "+1.5", "0.1", "123456789012345", "1234567890123456"]
    + ["0.00000000000001", "0.000000000000001", "-12345678901234.5", "9007199254740993", "1e39", "inf"],
)
def test_every_form_is_read(field):
    # Also beside longer and shorter numbers, which decide how it is read.
    for others in ([], ["-0.123456789012"], ["5"], ["0.12345678901234567"]):
        got = read([*others, field, *others])[len(others)]
        assert np.float64(got).tobytes() == np.float64(field).tobytes(), (field, others)


@pytest.mark.parametrize("field", ["", "-", ".", "-.", "1.2.3", "--1", "1-2", "abc", "1,5", "nan", "0x1"])
def test_what_is_no_number_is_not_a_number(field):
    assert np.isnan(read(["1.5", field, "-2"])).tolist() == [False, True, False]


def test_a_text_may_end_with_a_number_or_hold_none():
    assert read(["1.25", "3"], before="", after="").tolist() == [1.25, 3]
    assert read([]).shape == (0,)

"""Work in place is done when it is submitted, by who submits it."""

import threading

import pytest

from rgbd_jax.data.in_place import InPlace


def test_work_is_done_here_and_at_once():
    with InPlace() as pool:
        done = pool.submit(lambda number, *, factor: (number * factor, threading.get_ident()), 3, factor=2)
        assert done.done()
    assert done.result() == (6, threading.get_ident())


def test_an_error_is_raised_when_the_result_is_asked_for():
    done = InPlace().submit(int, "x")
    with pytest.raises(ValueError, match="invalid literal"):
        done.result()

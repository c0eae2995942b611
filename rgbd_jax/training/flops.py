"""Counting the floating-point operations of a program, by its equations.

Counted are matrix products and convolutions, two operations for each multiplication that is added up; all
else is little beside them. The compiler's own count, `cost_analysis`, takes the body of a loop once, however
often it runs.
"""

import math
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn


def count_flops(program: ClosedJaxpr) -> int:
    """The operations of a traced function, over all devices.

    Where only one of several branches runs, the most expensive is counted.

    Raises:
      ValueError: if there are products in a loop that runs until something comes true.
    """
    return _flops(program.jaxpr)


def _flops(jaxpr: Jaxpr) -> int:
    return sum(map(_equation_flops, jaxpr.eqns))


def _equation_flops(equation: JaxprEqn) -> int:
    name, parameters = equation.primitive.name, equation.params
    if name == "dot_general":
        return _dot_flops(equation)
    if name == "conv_general_dilated":
        return _convolution_flops(equation)
    inner = [_flops(jaxpr) for jaxpr in _inner(parameters)]
    if name == "cond":
        return max(inner)
    if name == "while" and any(inner):
        raise ValueError("products in a loop of unknown length cannot be counted")
    # Within shard_map, shapes are those of one device.
    times = {"scan": parameters.get("length"), "shard_map": getattr(parameters.get("mesh"), "size", None)}
    return times.get(name, 1) * sum(inner)


def _inner(parameters: dict[str, Any]) -> list[Jaxpr]:
    """The programs that an equation runs."""
    leaves = jax.tree.leaves(parameters, is_leaf=lambda leaf: isinstance(leaf, Jaxpr | ClosedJaxpr))
    return [
        leaf.jaxpr if isinstance(leaf, ClosedJaxpr) else leaf
        for leaf in leaves
        if isinstance(leaf, Jaxpr | ClosedJaxpr)
    ]


def _dot_flops(equation: JaxprEqn) -> int:
    (contracted, _), _ = equation.params["dimension_numbers"]
    left = equation.invars[0].aval.shape
    return 2 * equation.outvars[0].aval.size * math.prod(left[axis] for axis in contracted)


def _convolution_flops(equation: JaxprEqn) -> int:
    """Products with padding, and with the zeros between the values of a dilated input, are not counted."""
    parameters = equation.params
    left, kernel = (operand.aval.shape for operand in equation.invars)
    out = equation.outvars[0].aval.shape
    axes = parameters["dimension_numbers"]
    products = out[axes.out_spec[0]] * out[axes.out_spec[1]] * kernel[axes.rhs_spec[1]]
    for i, (low, _) in enumerate(parameters["padding"]):
        stride, spread = parameters["window_strides"][i], parameters["lhs_dilation"][i]
        first = np.arange(out[axes.out_spec[2 + i]]) * stride - low
        taps = np.arange(kernel[axes.rhs_spec[2 + i]]) * parameters["rhs_dilation"][i]
        place = first[:, None] + taps
        length = (left[axes.lhs_spec[2 + i]] - 1) * spread + 1
        products *= int(np.count_nonzero((place >= 0) & (place < length) & (place % spread == 0)))
    return 2 * products

"""What is read from the text of a program that was compiled for a GPU."""

import runpy
from pathlib import Path

import pytest

GPU_PROGRAM = runpy.run_path(str(Path(__file__).parents[1] / "bench/gpu_program.py"))

HLO = """HloModule jit_step, is_scheduled=true

FileNames
1 "/somewhere/rgbd_jax/models/layers.py"
2 "/somewhere/lib/python3.12/site-packages/jax/numpy.py"

FunctionNames
1 "Dense.__call__"
2 "matmul"
3 "Tower.__call__"

FileLocations
1 {file_name_id=1 function_name_id=1 line=7 end_line=7 column=1 end_column=2}
2 {file_name_id=2 function_name_id=2 line=9 end_line=9 column=1 end_column=2}
3 {file_name_id=1 function_name_id=3 line=70 end_line=70 column=1 end_column=2}

StackFrames
1 {file_location_id=3 parent_frame_id=1}
2 {file_location_id=1 parent_frame_id=2}
3 {file_location_id=2 parent_frame_id=3}


%fused_update (p0: f32[100,8], p1: f32[8], p2: s32[]) -> f32[100,8] {
  %p0 = f32[100,8]{1,0} parameter(0)
  %p1 = f32[8]{0} parameter(1)
  %row = f32[1,8]{1,0} bitcast(%p1)
  %p2 = s32[] parameter(2)
  ROOT %update = f32[100,8]{1,0} dynamic-update-slice(%p0, %row, %p2, %p2)
}

%fused_slice (p0.1: bf16[100,8], p1.1: s32[]) -> f32[8] {
  %p0.1 = bf16[100,8]{1,0} parameter(0)
  %p1.1 = s32[] parameter(1)
  %slice = bf16[1,8]{1,0} dynamic-slice(%p0.1, %p1.1, %p1.1), dynamic_slice_sizes={1,8}
  ROOT %wide = f32[8]{0} convert(%slice)
}

%body (state: (s32[], bf16[100,8], f32[100,8])) -> (s32[], bf16[100,8], f32[100,8]) {
  %state = (s32[], bf16[100,8]{1,0}, f32[100,8]{1,0}) parameter(0)
  %i = s32[] get-tuple-element(%state), index=0
  %from = bf16[100,8]{1,0} get-tuple-element(%state), index=1
  %to = f32[100,8]{1,0} get-tuple-element(%state), index=2
  %taken = f32[8]{0} fusion(%from, %i), kind=kLoop, calls=%fused_slice
  %changed = f32[100,8]{1,0} fusion(%to, %taken, %i), kind=kLoop, calls=%fused_update
  ROOT %next = (s32[], bf16[100,8]{1,0}, f32[100,8]{1,0}) tuple(%i, %from, %changed)
}

ENTRY %main (x: bf16[100,8], w: bf16[8,8]) -> f32[8,8] {
  %x = bf16[100,8]{1,0} parameter(0)
  %w = bf16[8,8]{1,0} parameter(1)
  %begun = (s32[], bf16[100,8]{1,0}, f32[100,8]{1,0}) tuple(%zero, %x, %nothing)
  %loop = (s32[], bf16[100,8]{1,0}, f32[100,8]{1,0}) while(%begun), condition=%condition, body=%body, backend_config={"known_trip_count":{"n":"100"}}
  %moved = f32[100,8]{1,0} get-tuple-element(%loop), index=2
  %product = (f32[8,8]{1,0}, s8[4096]{0}) custom-call(%moved, %w), custom_call_target="gemm", metadata={op_name="jit(step)/transpose(jvp())/dot" stack_frame_id=3}
  ROOT %result = f32[8,8]{1,0} get-tuple-element(%product), index=0
}
"""  # noqa: E501


@pytest.fixture
def kernels():
    return {kernel.name: kernel for kernel in GPU_PROGRAM["kernels"](HLO)}


def test_work_is_told_from_names(kernels):
    assert list(kernels) == ["taken", "changed", "product"]


def test_what_is_in_a_loop_is_counted_each_time(kernels):
    assert [kernel.times for kernel in kernels.values()] == [100, 100, 1]


def test_a_slice_is_all_that_is_read(kernels):
    index = 4
    assert kernels["taken"].bytes == 8 * 2 + index + 8 * 4


def test_a_change_in_place_is_all_that_is_written(kernels):
    index, change = 4, 8 * 4
    assert kernels["changed"].bytes == 2 * change + index


def test_other_work_reads_its_operands_and_writes_its_results(kernels):
    """A library's workspace is neither."""
    assert kernels["product"].bytes == 100 * 8 * 4 + 8 * 8 * 2 + 8 * 8 * 4


def test_what_is_not_known_is_not_guessed():
    with pytest.raises(ValueError, match=r"^product: what a conditional does is not counted here$"):
        GPU_PROGRAM["kernels"](HLO.replace("custom-call(", "conditional("))
    with pytest.raises(KeyError, match="f8e4m3fn"):
        GPU_PROGRAM["kernels"](HLO.replace("bf16[8,8]", "f8e4m3fn[8,8]"))


def test_where_it_comes_from(kernels):
    """Libraries are passed over; what has no place is told too."""
    assert GPU_PROGRAM["by_source"](list(kernels.values())) == [
        ("elsewhere", 100 * (kernels["taken"].bytes + kernels["changed"].bytes), 200),
        (
            "gradient of models/layers.py:7 __call__, from models/layers.py:70 __call__",
            kernels["product"].bytes,
            1,
        ),
    ]

"""NVIDIA's runtime compiler from its wheel: compiles for every GPU and needs none."""

from __future__ import annotations

import ctypes
from importlib.util import find_spec
from pathlib import Path


def library() -> ctypes.CDLL | None:
    """The compiler of the wheel ``nvidia-cuda-nvrtc-cu12``, or None."""
    spec = find_spec("nvidia")
    for place in spec.submodule_search_locations or () if spec else ():
        for path in sorted(Path(place).glob("cuda_nvrtc/lib/libnvrtc.so.*")):
            return ctypes.CDLL(str(path))
    return None


def compile_for(nvrtc: ctypes.CDLL, text: str, architecture: int) -> tuple[int, str]:
    """Compile CUDA text to machine code of a generation of GPUs.

    Returns
    -------
    (int, str)
        Bytes of machine code (0 when it failed), and what the compiler had to say.
    """
    program = ctypes.c_void_p()
    assert succeeded(nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"source.cu", 0, None, None))
    options = [f"--gpu-architecture=sm_{architecture}".encode(), b"--std=c++17"]
    status = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    size = ctypes.c_size_t()
    assert succeeded(nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size)))
    log = ctypes.create_string_buffer(size.value)
    assert succeeded(nvrtc.nvrtcGetProgramLog(program, log))
    code = ctypes.c_size_t()
    if status == 0:
        assert succeeded(nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(code)))
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return code.value, log.value.decode(errors="replace").strip()


def succeeded(status: int) -> bool:
    """Whether a call of the compiler succeeded."""
    return status == 0

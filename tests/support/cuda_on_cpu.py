"""Run the package's CUDA sources on the CPU: g++ compiles them behind a shim header, ctypes calls them."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

SUPPORT = Path(__file__).resolve().parent
KERNELS = SUPPORT.parents[1] / "engine" / "kernels"
SIGNATURE = re.compile(r'extern "C" __global__ void\s+(?:__launch_bounds__\(.*\)\s+)?(\w+)\s*\(([^)]*)\)')


def compiler() -> str | None:
    """Path of a C++ compiler, or None."""
    return shutil.which("g++") or shutil.which("clang++")


def entry_points(source: str) -> str:
    """C functions that launch each kernel of a source: grid and block first, then the kernel's own arguments."""
    found = []
    for name, parameters in SIGNATURE.findall(source):
        names = ", ".join(re.findall(r"(\w+)\s*(?:,|$)", parameters.strip()))
        sizes = ", ".join(f"unsigned {part}{axis}" for part in "gb" for axis in "xyz")
        found.append(
            f'extern "C" void run_{name}({sizes}, {parameters}) '
            f"{{ shim::launch({{gx, gy, gz}}, {{bx, by, bz}}, [=] {{ {name}({names}); }}); }}"
        )
    if not found:
        raise ValueError("no kernel in the source")
    return "\n".join(found)


def compile_text(text: str, name: str, folder: Path) -> ctypes.CDLL:
    """Compile CUDA text to a shared library in a folder."""
    program, library = folder / f"{name}.cpp", folder / f"{name}.so"
    program.write_text(f"{text}\n{entry_points(text)}\n", encoding="utf-8")
    tool = compiler()
    assert tool is not None
    options = [
        "-std=c++17",
        "-O1",
        "-U_FORTIFY_SOURCE",
        "-fPIC",
        "-shared",
        "-Wall",
        "-Wno-unknown-pragmas",
        "-Werror",
        "-x",
        "c++",
    ]
    search = ["-I", str(KERNELS), "-include", str(SUPPORT / "cuda_shim.h")]
    subprocess.run([tool, *options, *search, str(program), "-o", str(library)], check=True, timeout=120)
    return ctypes.CDLL(str(library))

"""The few hot loops: a plain reference, a Numba version and a CUDA version, side by side."""

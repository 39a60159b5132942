"""Rotation vectors (axis times angle), as some programs keep poses, and the Euler angles used here."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from engine.geometry import euler_to_matrix, matrix_to_euler


def angles_of_rotation_vectors(vectors_deg: ArrayLike) -> NDArray[np.float64]:
    """Return rot, tilt, psi in degrees ``(m, 3)`` for cryoSPARC's 3D poses.

    Parameters
    ----------
    vectors_deg : (m, 3)
        x, y, z: the right-handed rotation about this axis by its length in degrees takes the image's axes to the
        volume's; the pose's matrix (`engine.geometry.euler_to_matrix`) is its transpose.
    """
    matrices = Rotation.from_rotvec(np.asarray(vectors_deg, np.float64).reshape(-1, 3), degrees=True).as_matrix()
    return matrix_to_euler(matrices.transpose(0, 2, 1))


def rotation_vectors_of_angles(angles_deg: ArrayLike) -> NDArray[np.float64]:
    """Return cryoSPARC's 3D poses ``(m, 3)`` for rot, tilt, psi in degrees ``(m, 3)``; the inverse of the above."""
    matrices = euler_to_matrix(np.asarray(angles_deg, np.float64).reshape(-1, 3))
    return np.asarray(Rotation.from_matrix(matrices.transpose(0, 2, 1)).as_rotvec(degrees=True))

"""What an iteration of a refinement costs on many GPUs: ``python -m tests.benchmarks.cluster_model`` prints the tables.

A model, not a measurement: each formula stands in docs/distributed.md under the name of its function. Change a number
here to see what another cluster would do.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log, pi

from engine.mapping import GROUP, MOST_CHUNKS
from engine.refinement.chunks import CHUNK

PADDING = 2
BYTES_A_VOXEL = 12  # a complex and a real number in single precision
PARTICLES = 10_000_000
BOX_PX = 256
ITERATIONS = ((20.0, True), (30.0, True), (45.0, True), (60.0, False), (80.0, False), (100.0, False), (127.5, False))
"""Working radius in Fourier px, and whether all orientations are searched: one iteration of each kind."""


@dataclass(frozen=True)
class Cluster:
    """What the workers and the network do.

    Attributes
    ----------
    gpus : int
    poses_a_s : float
        Slices of radius 60 px compared with an image, by one H100 with a plain kernel.
    flops_a_s : float
        Real matrix product in TF32, by one H100.
    network_bytes_a_s : float
        Between two workers, or a worker and the job.
    disk_bytes_a_s : float
        What the shared folder gives to all together.
    overhead_s : float
        Scheduler and Python, for each chunk that one worker maps.
    """

    gpus: int
    poses_a_s: float = 9e6
    flops_a_s: float = 150e12
    network_bytes_a_s: float = 1e9
    disk_bytes_a_s: float = 5e9
    overhead_s: float = 0.01


def coefficients(radius_px: float) -> float:
    """Fourier coefficients of half a disc."""
    return pi * radius_px**2 / 2


def chunks(particles: int) -> int:
    """Chunks of both halves: never more than 2 x 64."""
    half = particles // 2
    size = CHUNK * max(1, ceil(half / (CHUNK * MOST_CHUNKS)))
    return 2 * ceil(half / size)


def sums_bytes(radius_px: float) -> float:
    """Numerator and denominator on the half cube that holds the frequencies that are summed."""
    reach = PADDING * min(1.25 * radius_px + 6, (BOX_PX - 1) / 2)
    return BYTES_A_VOXEL * (2 * reach + 1) ** 2 * (reach + 1)


def map_flops(particles: int, radius_px: float, searches_all: bool) -> tuple[float, float]:
    """Flops of matrix products, and slices of radius 60 px that are compared, for all particles."""
    if not searches_all:
        return 0.0, particles * (27 + 4 * 8) * (radius_px / 60) ** 2
    orientations, shifts = 4_608 / 2, 49  # 7.5 degrees, the in-plane half-turn comes with the complex conjugate
    product = particles * 2 * (2 * coefficients(min(radius_px, 20))) * orientations * shifts * 2
    return product, particles * 24 * 8 * (radius_px / 60) ** 2


def map_s(cluster: Cluster, particles: int, radius_px: float, searches_all: bool) -> float:
    """Time of the worker with most chunks."""
    product, slices = map_flops(particles, radius_px, searches_all)
    pieces = chunks(particles)
    share = ceil(pieces / min(cluster.gpus, pieces)) / pieces
    return share * (product / cluster.flops_a_s + slices / cluster.poses_a_s) + share * pieces * cluster.overhead_s


def add_s(cluster: Cluster, particles: int, radius_px: float) -> float:
    """Time of the tree: in each level a worker takes in what its group lacks, then the job takes both totals."""
    if cluster.gpus == 1:
        return 0.0
    workers = min(cluster.gpus, chunks(particles)) / 2  # of one half
    levels = log(max(workers, 1), GROUP)
    return ((GROUP - 1) * levels + 2) * sums_bytes(radius_px) / cluster.network_bytes_a_s


def send_s(cluster: Cluster, radius_px: float) -> float:
    """Time in which two references reach all workers, from the job or from those who have them."""
    if cluster.gpus == 1:
        return 0.0
    box = min(2 * (1.25 * radius_px + 7), BOX_PX)
    return 2 * 4 * box**3 * ceil(log(cluster.gpus, 2)) / cluster.network_bytes_a_s


def solve_s(cluster: Cluster, radius_px: float) -> float:
    """Symmetry, FSC and prior, four transforms of the padded cube, on the job's own GPU at a tenth of its bandwidth."""
    return 10 * 4 * 8 * (PADDING * min(2 * (1.25 * radius_px + 7), BOX_PX)) ** 3 / 3e12 + 0.1


def iteration_s(cluster: Cluster, particles: int, radius_px: float, searches_all: bool) -> dict[str, float]:
    """Seconds of each part."""
    return {
        "map": map_s(cluster, particles, radius_px, searches_all),
        "add": add_s(cluster, particles, radius_px),
        "send": send_s(cluster, radius_px),
        "solve": solve_s(cluster, radius_px),
    }


def read_s(cluster: Cluster, particles: int, bytes_a_px: int = 4) -> float:
    """Time in which all images are read once; then each worker has its own."""
    return particles * BOX_PX**2 * bytes_a_px / cluster.disk_bytes_a_s


def iterations_table() -> str:
    """One iteration of each kind on 64 GPUs."""
    cluster = Cluster(64)
    rows = [
        "| radius, px | search | sums, MB | map, s | add, s | send, s | solve, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for radius_px, searches_all in ITERATIONS:
        parts = iteration_s(cluster, PARTICLES, radius_px, searches_all)
        seconds = " | ".join(f"{parts[name]:.1f}" for name in ("map", "add", "send", "solve"))
        kind = "all orientations" if searches_all else "about the last pose"
        rows.append(f"| {radius_px:g} | {kind} | {sums_bytes(radius_px) / 1e6:.0f} | {seconds} |")
    return "\n".join(rows)


def scaling_table() -> str:
    """Sum of these iterations on more and more GPUs, and reading the images once."""
    rows = ["| GPUs | network, GB/s | iterations, s | speed-up | images on each GPU, GB | read once, s |"]
    rows.append("|---|---|---|---|---|---|")
    for gpus, network in ((1, 1), (8, 1), (64, 1), (64, 10)):
        cluster = Cluster(gpus, network_bytes_a_s=network * 1e9)
        seconds, alone = (sum(sum(iteration_s(c, PARTICLES, *one).values()) for one in ITERATIONS)
                          for c in (cluster, Cluster(1)))  # fmt: skip
        images = PARTICLES * BOX_PX**2 * 4 / gpus / 1e9
        rows.append(
            f"| {gpus} | {network} | {seconds:.0f} | {alone / seconds:.1f} | {images:.0f} "
            f"| {read_s(cluster, PARTICLES):.0f} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    print(iterations_table(), scaling_table(), sep="\n\n")

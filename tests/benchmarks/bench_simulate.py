"""Making the embedded data set."""

from __future__ import annotations

import numpy as np
from scipy import fft

from spa_widgets.io.datasets import MicrographSet
from tests.benchmarks.commands import report_of, spa, stages_note
from tests.benchmarks.measure import Cost, measure
from tests.benchmarks.report import Row
from tests.benchmarks.run import Settings


def run(settings: Settings) -> list[Row]:
    """Simulate the preset `small`."""
    count = settings.size(12, 2)
    out = settings.work / "simulated"
    cost = spa(["simulate", "--preset", "small", "--micrographs", count], out, settings.work)
    figures = report_of(out)["figures"]
    accuracy = {"objects": figures["objects"], "SNR of a particle": figures["particle_snr"]}
    micrographs = MicrographSet.read(out / "micrographs.star")
    reference = fft_cost([micrographs.load(i) for i in range(count)], settings.threads)
    name = f"simulate {count} micrographs of 1024²"
    return [Row(name, cost, accuracy, "FFT and back of the same images", reference, note=stages_note(out))]


def fft_cost(images: list[np.ndarray], threads: int) -> Cost:
    """Cost of a transform and its inverse of each image: the least that any filter would cost."""

    def there_and_back() -> None:
        for image in images:
            fft.irfft2(fft.rfft2(image, workers=threads), s=image.shape, workers=threads)

    there_and_back()
    return measure(there_and_back, repeat=3)[1]

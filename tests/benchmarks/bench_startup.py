"""How long a person waits before anything happens: imports and the start of the command line."""

from __future__ import annotations

import sys

from tests.benchmarks.measure import Cost, run_command
from tests.benchmarks.report import Row
from tests.benchmarks.run import Settings

_COMMANDS = {
    "import engine.arrays": ["-c", "import engine.arrays"],
    "import spa_widgets": ["-c", "import spa_widgets"],
    "from spa_widgets import Session": ["-c", "from spa_widgets import Session"],
    "spa --version": ["-m", "spa_widgets.cli", "--version"],
    "spa --help": ["-m", "spa_widgets.cli", "--help"],
    "spa refine --help": ["-m", "spa_widgets.cli", "refine", "--help"],
}


def run(settings: Settings) -> list[Row]:
    """Start Python in several ways, and with NumPy alone."""
    repeat = settings.size(5, 2)
    numpy = _cheapest(["-c", "import numpy"], settings, repeat)
    return [
        Row(name, _cheapest(arguments, settings, repeat), reference="python -c 'import numpy'", theirs=numpy)
        for name, arguments in _COMMANDS.items()
    ]


def _cheapest(arguments: list[str], settings: Settings, repeat: int) -> Cost:
    costs = [run_command([sys.executable, *arguments], settings.work) for _ in range(repeat + 1)]
    return min(costs[1:], key=lambda cost: cost.cpu_s)  # the first one reads files from the disk

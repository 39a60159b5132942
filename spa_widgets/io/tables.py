"""Tables of numbers in CSV files, as steps keep what they found."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from spa_widgets.errors import UserError

_MEND = "run the step that made it again"


def read_csv_table(path: str | Path, expected: str, mend: str = _MEND, numeric: bool = True) -> pd.DataFrame:
    """Read a CSV table.

    Parameters
    ----------
    path : str or Path
    expected : str
        What the table holds, and
    mend : str
        what to do when it does not: parts of the sentence that is said.
    numeric : bool
        Every cell is a number or empty.

    Raises
    ------
    UserError
        When the file is missing, cannot be read, is no table, or a cell is no number.
    """
    file = Path(path)
    try:
        table = pd.read_csv(file)
    except FileNotFoundError as error:
        raise UserError(f"{file} does not exist; expected {expected}: check the path.") from error
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}): ask for permission, or copy it again.") from error
    except (ValueError, OverflowError) as error:
        raise UserError(f"{file} is not a readable CSV table; expected {expected}: {mend}.") from error
    for name in table.columns if numeric else ():
        column = pd.to_numeric(table[name], errors="coerce")
        wrong = (column.isna() & table[name].notna()).to_numpy()
        if wrong.any():
            row = int(wrong.argmax())
            raise UserError(
                f"{file}: row {row + 1} of {name} is {str(table[name].iloc[row])[:60]!r}; expected a number: {mend}."
            )
        table[name] = column
    return table

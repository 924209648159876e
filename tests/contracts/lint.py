"""Lints contracts as `datacontract lint` does, all of them in one process: `lint.py FILE...`.

Prints a line for each file that is not as ODCS 3.1.0 wants it, and leaves with 1 if there is any.
"""

import sys

from datacontract.data_contract import DataContract


def complaints(path: str) -> list[str]:
    """Returns what is wrong with a contract. Nothing is fetched: the standard's schema comes with the linter."""
    run = DataContract(data_contract_file=path, inline_references=False, all_errors=True).lint()
    if not run.checks:
        return ["nothing was checked"]
    return [f"{check.name}: {check.reason}" for check in run.checks if check.result != "passed"]


def main(paths: list[str]) -> int:
    bad = 0
    for path in paths:
        for complaint in complaints(path):
            bad += 1
            print(f"{path}: {complaint}")
    print(f"contracts: {len(paths)} linted, {bad} complaints")
    return 1 if bad or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Write the data of the shipped pointer with one cell of one holdout row changed. Run inside a
clone.
"""

import sys
from pathlib import Path

import pandas as pd

from flows.engine.request import begin
from flows.orchestration.real_tools import real_tools
from flows.project.homes import load_for_data
from sluice.model.data.split import parts, row_hashes


def main(target: Path) -> None:
    request = begin(load_for_data("attrition", None), real_tools(), "attrition")
    frame = pd.read_csv(request.data.path)
    hashes = row_hashes(request.policy.split.salt, frame[request.contract.id.name].to_numpy())
    left = frame["Attrition"].eq(request.contract.target.positive).to_numpy()
    row = parts(request.policy.split, hashes, left)["holdout"][0]
    frame.loc[row, "Age"] = frame.loc[row, "Age"] % 40 + 20
    frame.to_csv(target, index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

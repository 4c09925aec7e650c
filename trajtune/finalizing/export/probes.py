"""Probe careers with torch's predictions, which allow checking a bundle without torch."""

# B careers, T roles (padded)

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from trajtune.dataset.titles import TitleEncoder
from trajtune.finalizing.export.exported_module import ExportedModule

NUM_PROBES: Final = 64
_LONGEST: Final = 12
_UNKNOWN_TITLE: Final = "Title That Nobody Has Ever Had"


@torch.inference_mode()
def write_probes(module: ExportedModule, encoder: TitleEncoder, path: Path) -> None:
    """Write random sequences of titles, some of them unknown, and torch's predictions.

    Real careers are not used, because bundles are passed on and must not contain the histories of people.

    Args:
        module: The exported module, in eval mode.
        encoder: The module's vocabulary.
        path: The file to write; the same model gives the same bytes.
    """
    random = np.random.default_rng(0)
    titles = [encoder.decode(index) for index in range(1, encoder.vocab_size)] + [_UNKNOWN_TITLE]
    careers = [
        [titles[i] for i in random.integers(0, len(titles), random.integers(1, _LONGEST + 1))]
        for _ in range(NUM_PROBES)
    ]
    content = {"careers": careers, "expected": [_answer(module, encoder, career) for career in careers]}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _answer(module: ExportedModule, encoder: TitleEncoder, career: list[str]) -> dict[str, Any]:
    ids = torch.tensor([[encoder.encode(title) for title in career]])
    _, tenure, hireability, confidence, top_ids, probabilities, *sets = module(
        ids, torch.tensor([len(career)])
    )
    return {
        "ids": ids[0].tolist(),
        "tenure_pred": tenure[0].tolist(),
        "hireability": hireability[0].tolist(),
        "next_role_confidence": confidence[0].tolist(),
        "top5_ids": top_ids[0].tolist(),
        "top5_probabilities": probabilities[0].tolist(),
        **({"title_set_size": sets[1][0].tolist()} if sets else {}),
    }

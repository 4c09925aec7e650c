from pathlib import Path

from trajtune.experiment.params import Params
from trajtune.finalizing.selection import (
    Finalist,
    Refit,
    best_seed,
    exported_refits,
    selection,
    selection_record,
    winner,
)


def test_the_winner_has_the_lowest_mean_over_seeds_and_its_best_seed_is_exported(tmp_path: Path) -> None:
    def made(name: str, seed: int, value: float) -> Refit:
        finalist = Finalist(name, Params(), None)
        return Refit(finalist, seed, tmp_path / "x.pt", 1, {"val_next_role_nll": value}, None)

    refits = [made("a", 0, 1.0), made("a", 1, 3.0), made("b", 0, 1.9), made("b", 1, 1.7)]
    assert winner(refits).name == "b"
    assert best_seed(refits, winner(refits)).seed == 1
    assert selection(refits)["a"]["spread"] == 2.0
    best = exported_refits(refits, winner(refits), "best_seed")
    averaged = exported_refits(refits, winner(refits), "average")
    assert [refit.seed for refit in best] == [1]
    assert averaged == refits[2:]
    found = selection_record(winner(refits), averaged, refits)["winner"]
    assert found == {"name": "b", "networks": [{"name": "b", "seed": seed, "epoch": 1} for seed in (0, 1)]}


def test_the_loss_of_the_exported_mixture_decides_if_it_is_known(tmp_path: Path) -> None:
    def made(name: str, value: float | None, *, may_win: bool = True) -> Refit:
        finalist = Finalist(name, Params(), None, may_win=may_win)
        return Refit(finalist, 0, tmp_path / "x.pt", 1, {"val_next_role_nll": value}, None)

    refits = [made("a", 1.0), made("b", 2.0), made("barred", 2.0, may_win=False), made("failed", None)]
    as_exported = {"a": 0.9, "b": 0.8, "barred": 0.1}

    assert winner(refits, as_exported).name == "b", "b is worse alone, but better when mixed with the n-gram"
    found = selection_record(winner(refits, as_exported), refits[1:2], refits, as_exported)["selection"]
    assert {name: row["as_exported"] for name, row in found.items()} == {**as_exported, "failed": None}


def test_the_winner_is_best_by_the_metric_of_the_search_and_meets_the_constraints(tmp_path: Path) -> None:
    def made(name: str, top1: float, *, may_win: bool = True) -> Refit:
        finalist = Finalist(name, Params(), 0.5, metric="val_top1", may_win=may_win)
        metrics = {"val_next_role_nll": top1, "val_top1": top1}
        return Refit(finalist, 0, tmp_path / "x.pt", 1, metrics, None)

    refits = [made("research default", 0.9, may_win=False), made("a", 0.3), made("b", 0.4)]
    assert winner(refits).name == "b"
    assert selection(refits)["b"] == {
        "mean": 0.4,
        "spread": 0.0,
        "search_value": 0.5,
        "as_exported": None,
    }

"""Refits the finalists, chooses the winner on val, and trains it again on everything known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import TrainingError
from trajtune.finalizing.averaging import averaged_refits
from trajtune.finalizing.evaluate.on_test import References
from trajtune.finalizing.mixture import Losses, Mixture, ValLosses, val_losses
from trajtune.finalizing.refit import RESEARCH_DEFAULT_NAME, finalists, refit_all, refit_on_known
from trajtune.finalizing.selection import (
    METRIC,
    Finalist,
    Refit,
    exported_refits,
    trained_with_every_seed,
    winner,
)
from trajtune.model.checkpoint import State, build_model, load_checkpoint
from trajtune.model.network.average import CareerModel
from trajtune.page.format import listed, percent
from trajtune.searching.runs.directory import REFITS, Run
from trajtune.searching.runs.retention import restore_best, top_trials
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import read_trials, research_default
from trajtune.searching.trial import BEST
from trajtune.searching.val_baselines import stored_choice
from trajtune.storage.path import StoredPath

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Choice:
    """The winner, trained for export.

    Attributes:
        winner: The winning configuration.
        refits: The trainings on train of every finalist, which decided the choice.
        exported: The trainings whose mean is exported.
        state: The combined state of the exported trainings; see `model.checkpoint.State`.
        mixture: Their mixture with the n-gram baseline.
        as_exported: NLL on val, by finalist, of the model that would be exported; None if it did not decide.
        references: Models that the exported model is compared with on test.
    """

    winner: Finalist
    refits: Sequence[Refit]
    exported: Sequence[Refit]
    state: dict[str, Any]
    mixture: Mixture
    as_exported: Mapping[str, float] | None
    references: References


def choose(run: Run, snapshot: Snapshot, division: Snapshot, *, verbose: bool, say: Progress) -> Choice:
    """Train everything that finalize trains; finished refits in the run directory are reused.

    Args:
        run: A run with at least one finished trial.
        snapshot: The run's snapshot; the winner is chosen on its val.
        division: Data that the winner is trained on for export: the snapshot, or its `Snapshot.refit`.
        verbose: Whether to show Ray's logs.
        say: Called with a line about each step.

    Raises:
        RunError: If no trial of the run has a result.
        TrainingError: If nothing could be refitted.
    """
    refits = _refit(run, snapshot, verbose=verbose, say=say)
    settings = run.experiment.finalize
    ngram_choice = stored_choice(run, snapshot)
    trained = trained_with_every_seed(refits)
    losses = as_exported = None
    if settings.export == "average":
        losses = val_losses([refit for own in trained.values() for refit in own], ngram_choice, snapshot)
        # Other metrics than the NLL are compared by their mean over seeds, because they are not computed
        # for mixtures.
        if run.experiment.search.metric == METRIC:
            as_exported = {name: _mean_loss(losses, own) for name, own in trained.items()}
    chosen = winner(refits, as_exported)
    if losses is not None and as_exported is not None:
        best_first = sorted(trained, key=as_exported.__getitem__)
        averaged = {name: trained[name] for name in best_first if _is_averaged(trained[name][0], chosen)}
        selected = averaged_refits(averaged, losses)
    else:
        selected = exported_refits(refits, chosen, settings.export)
    say(f"{chosen.name} is best on val; exporting {_in_words(selected)}")
    on_known = division != snapshot
    exported = _refit_on_known(run, division, selected, verbose=verbose, say=say) if on_known else selected
    networks = _states_of(selected)
    mixture = Mixture(ngram_choice, losses.mixed(selected)[0] if losses is not None else 0.0)
    if losses is not None:
        say(f"the n-gram's weight in the mixture, chosen on val, is {percent(mixture.ngram_share, 0)}")
    models = _reference_models(refits)
    if on_known:
        as_selected = mixture.state(networks, snapshot.arrays("train"))
        models = {"as_selected": [build_model(as_selected)], **models}
        networks = _states_of(exported)
    state = mixture.state(networks, division.arrays("train"))
    references = References(models, snapshot.encoder())
    return Choice(chosen, refits, exported, state, mixture, as_exported, references)


def _refit(run: Run, snapshot: Snapshot, *, verbose: bool, say: Progress) -> list[Refit]:
    restore_best(run)  # raises a one-line error if there is no result yet
    settings = run.experiment.finalize
    best = top_trials(run, settings.top_k)
    research = research_default(read_trials(read_study(run.path)))
    # With one seed, the training of the research default in the search is used as its refit.
    on_all = run.experiment.search.max_train_careers is None
    searched = (
        run.path / research.directory / BEST
        if settings.seeds == 1 and on_all and research and research.state == "COMPLETE"
        else None
    )
    chosen = finalists(
        [(trial.number, trial.params, trial.mean_value) for trial in best],
        research.value if research else None,
        searched if searched and _is_intact(searched) else None,
        metric=run.experiment.search.metric,
        research_may_win=research is None or research.is_feasible,
    )
    say(f"refitting {len(chosen)} configurations with {settings.seeds} seeds each")
    # The search's seed is not used: a refit with it would repeat the luck that selected the configuration.
    seeds = [run.experiment.search.seed + 1 + i for i in range(settings.seeds)]
    return refit_all(
        chosen,
        seeds,
        snapshot,
        run.path / REFITS,
        workers=settings.workers,
        gpus=run.experiment.search.gpus_per_trial,
        verbose=verbose,
        progress=say,
    )


def _is_intact(checkpoint: StoredPath) -> bool:
    """Return whether the search's checkpoint can be used; otherwise the refit is trained."""
    try:
        load_checkpoint(checkpoint)
    except TrainingError:
        return False
    return True


def _is_averaged(refit: Refit, chosen: Finalist) -> bool:
    """Return whether a configuration may be averaged with the winner.

    The research default is never averaged with others, because it predicts one tenure, not an interval.
    """
    if RESEARCH_DEFAULT_NAME in (refit.finalist.name, chosen.name):
        return refit.finalist == chosen
    return refit.finalist.may_win


def _mean_loss(losses: ValLosses, refits: Sequence[Refit]) -> float:
    """Return the NLL on val of the mean of these refits, mixed with the n-gram."""
    return float(np.mean(known)) if len(known := _known(losses.mixed(refits)[1])) else float("nan")


def _known(losses: Losses) -> Losses:
    return losses[~np.isnan(losses)]


def _in_words(exported: Sequence[Refit]) -> str:
    each = [f"{refit.finalist.name} with seed {refit.seed}" for refit in exported]
    return f"the mean of {listed(each)}" if len(each) > 1 else each[0]


def _refit_on_known(
    run: Run, division: Snapshot, selected: Sequence[Refit], *, verbose: bool, say: Progress
) -> list[Refit]:
    say(f"training again on everything known before {division.manifest['cutoffs']['train']}")
    return refit_on_known(
        *(selected, division, run.path / REFITS),
        workers=run.experiment.finalize.workers,
        gpus=run.experiment.search.gpus_per_trial,
        verbose=verbose,
        progress=say,
    )


def _states_of(refits: Sequence[Refit]) -> list[State]:
    return [load_checkpoint(refit.checkpoint) for refit in refits if refit.checkpoint]


def _reference_models(refits: Sequence[Refit]) -> dict[str, list[CareerModel]]:
    """Return the models of the research default, one for each seed, if there are any."""
    own = [refit for refit in refits if refit.finalist.name == RESEARCH_DEFAULT_NAME]
    models = [build_model(state) for state in _states_of(own)]
    return {"research_default": models} if models else {}

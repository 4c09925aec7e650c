"""Refit the finalists, choose the winner on val, and train it again on everything known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trajtune.dataset.snapshot import Snapshot
from trajtune.finalize.evaluate.on_test import References
from trajtune.finalize.mixture import Mixture, fit_mixtures
from trajtune.finalize.refit import FOLDER, RESEARCH_DEFAULT_NAME, finalists, refit_all, refit_on_known
from trajtune.finalize.selection import (
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
from trajtune.search.runs.directory import Run
from trajtune.search.runs.retention import top_trials
from trajtune.search.study.open import read_study
from trajtune.search.study.trial_records import read_trials, research_default
from trajtune.search.trial import BEST
from trajtune.search.val_baselines import kept_choice

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Choice:
    """The winner, trained for export.

    Attributes:
        winner: The configuration.
        refits: The trainings on train that it was chosen by, of every finalist.
        exported: The winner's trainings that are exported.
        state: What they predict with together; see `model.checkpoint.State`.
        mixture: How they are mixed with the n-gram baseline.
        as_exported: NLL on val of what would be exported, by finalist, if that decided.
        references: What the exported model is compared with on test.
    """

    winner: Finalist
    refits: Sequence[Refit]
    exported: Sequence[Refit]
    state: dict[str, Any]
    mixture: Mixture
    as_exported: Mapping[str, float] | None
    references: References


def choose(run: Run, snapshot: Snapshot, division: Snapshot, *, verbose: bool, say: Progress) -> Choice:
    """Train everything that finalize trains; what the run directory holds already is not trained again.

    Args:
        run: A run with at least one finished trial.
        snapshot: The run's snapshot, by whose val the winner is chosen.
        division: What the winner is trained on for export: the snapshot, or its `Snapshot.refit`.
        verbose: Show Ray's logs.
        say: Called with a line about each step.

    Raises:
        RunError: If no trial of the run has a result.
        TrainingError: If nothing could be refitted.
    """
    refits = _refit(run, snapshot, verbose=verbose, say=say)
    settings = run.experiment.finalize
    ngram_choice = kept_choice(run, snapshot)
    mixtures = {}
    if settings.export == "average":
        networks_of = {name: _states_of(own) for name, own in trained_with_every_seed(refits).items()}
        mixtures = fit_mixtures(networks_of, ngram_choice, snapshot)
    # Another metric than the NLL is compared over seeds: nothing says how a mixture does by it.
    by_nll = mixtures and run.experiment.search.metric == METRIC
    as_exported = {name: mixture.val_nll for name, mixture in mixtures.items()} if by_nll else None
    chosen = winner(refits, as_exported)
    selected = exported_refits(refits, chosen, settings.export)
    say(f"{chosen.name} is best on val; exporting {_in_words(selected)}")
    again = division != snapshot
    exported = _refit_on_known(run, division, selected, verbose=verbose, say=say) if again else selected
    networks = _states_of(selected)
    mixture = mixtures.get(chosen.name) or Mixture(ngram_choice, 0.0)
    if mixtures:
        say(f"on val the n-gram gets {percent(mixture.ngram_share, 0)} of the mixture with the networks")
    models = _reference_models(refits)
    if again:
        as_selected = mixture.state(networks, snapshot.read("train").arrays)
        models = {"as_selected": [build_model(as_selected)], **models}
        networks = _states_of(exported)
    state = mixture.state(networks, division.read("train").arrays)
    references = References(models, snapshot.encoder())
    return Choice(chosen, refits, exported, state, mixture, as_exported, references)


def _refit(run: Run, snapshot: Snapshot, *, verbose: bool, say: Progress) -> list[Refit]:
    run.best()  # raises in one line if there is no result yet
    settings = run.experiment.finalize
    best = top_trials(run, settings.top_k)
    research = research_default(read_trials(read_study(run.path)))
    # With one seed, the search's own training of the research default serves as its refit.
    on_all = run.experiment.search.max_train_careers is None
    searched = (
        run.path / research.directory / BEST
        if settings.seeds == 1 and on_all and research and research.state == "COMPLETE"
        else None
    )
    chosen = finalists(
        [(trial.number, trial.params, trial.value) for trial in best],
        research.value if research else None,
        searched if searched and searched.is_file() else None,
        metric=run.experiment.search.metric,
        research_may_win=research is None or research.is_feasible,
    )
    say(f"refitting {len(chosen)} configurations with {settings.seeds} seeds each")
    # Not the search's own seed: a refit with it would repeat the luck that chose the configuration.
    seeds = [run.experiment.search.seed + 1 + i for i in range(settings.seeds)]
    return refit_all(
        chosen,
        seeds,
        snapshot,
        run.path / FOLDER,
        workers=settings.workers,
        verbose=verbose,
        progress=say,
    )


def _in_words(exported: Sequence[Refit]) -> str:
    seeds = [str(refit.seed) for refit in exported]
    return f"the mean of seeds {listed(seeds)}" if len(seeds) > 1 else f"seed {seeds[0]}"


def _refit_on_known(
    run: Run, division: Snapshot, selected: Sequence[Refit], *, verbose: bool, say: Progress
) -> list[Refit]:
    first_day = division.manifest["cutoffs"]["train"]
    say(f"training {selected[0].finalist.name} again on everything known before {first_day}")
    workers = run.experiment.finalize.workers
    folder = run.path / FOLDER
    return refit_on_known(selected, division, folder, workers=workers, verbose=verbose, progress=say)


def _states_of(refits: Sequence[Refit]) -> list[State]:
    return [load_checkpoint(refit.checkpoint) for refit in refits if refit.checkpoint]


def _reference_models(refits: Sequence[Refit]) -> dict[str, list[CareerModel]]:
    """The research default as each seed trained it, if any did."""
    own = [refit for refit in refits if refit.finalist.name == RESEARCH_DEFAULT_NAME]
    models = [build_model(state) for state in _states_of(own)]
    return {"research_default": models} if models else {}

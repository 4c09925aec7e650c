"""Reads the user's synonyms: a CSV or JSON file of title → title, for example from ESCO or O*NET."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from trajtune.dataset.identity.rule import TitleRule, rule_with
from trajtune.errors import ExperimentError
from trajtune.experiment.settings import VocabularySettings
from trajtune.storage.path import stored_path

_COLUMNS: Final = 2


def title_rule(settings: VocabularySettings) -> TitleRule:
    """Return the rule of an experiment. The file of synonyms is read, if there is one.

    Raises:
        ExperimentError: If the file cannot be read or breaks a rule. The message names the line or the title.
        StorageError: If the file is in a store that does not answer.
    """
    if settings.synonyms is None:
        return TitleRule(settings.identity)
    where = f"vocabulary.synonyms, {settings.synonyms}"
    try:
        text = stored_path(settings.synonyms).read_text(encoding="utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ExperimentError(
            f"{where} is not UTF-8: {error.reason} at byte {error.start}. Convert it."
        ) from error
    except OSError as error:
        reason = error.strerror or "no such file"
        raise ExperimentError(f"Cannot read {where}: {reason}. Check the path.") from error
    is_json = PurePosixPath(settings.synonyms).suffix.lower() == ".json"
    return rule_with(settings.identity, _of_json(text, where) if is_json else _of_csv(text, where), where)


def _of_json(text: str, where: str) -> Iterator[tuple[str, str]]:
    form = 'Write {"a title": "the title it stands for"}'
    try:
        # A list of pairs, because a dictionary would hide a repeated key.
        pairs = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        raise ExperimentError(f"{where} is not JSON: {error}. {form}.") from error
    if not isinstance(pairs, _Pairs):
        raise ExperimentError(f"{where} must be a JSON object, but is another value. {form}.")
    for source, target in pairs:
        if not isinstance(target, str):
            raise ExperimentError(f"{where}: {source!r} must stand for a text, but does not. {form}.")
        yield source, target


class _Pairs(list[tuple[str, object]]):
    """The keys and values of a JSON object, in order."""


def _of_csv(text: str, where: str) -> Iterator[tuple[str, str]]:
    delimiter = next((mark for mark in ",;\t" if mark in text.partition("\n")[0]), ",")
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != _COLUMNS:
                raise ExperimentError(
                    f"{where}, line {lines.line_num}: a line must have two columns, a title and the title it "
                    f"stands for, but has {len(cells)}. Quote a title that holds a comma."
                )
            yield cells[0], cells[1]
    except csv.Error as error:
        raise ExperimentError(
            f"{where}, line {lines.line_num} is not CSV: {error}. Fix that line."
        ) from error

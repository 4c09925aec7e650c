import random
from itertools import product

import pyarrow as pa
import pytest
import ray

from trajtune.careers.exchange.partitions import Partitions
from trajtune.dataset.identity.rule import TitleRule, rule_with
from trajtune.dataset.titles import TitleEncoder
from trajtune.dataset.vocabulary_counts import VocabularyCounts, count_titles
from trajtune.experiment.settings import VocabularySettings

SPELLINGS = ("Nurse {}", "nurse {}", "Sr. Nurse {}", "senior nurse {}", "NURSE  {}", "工程师{}", "护士", "-")
RULES = (
    TitleRule(),
    TitleRule("service"),
    rule_with("unicode", [("Nurse a", "Surgeon"), ("护士", "Nurse b"), ("Pilot", "Nurse c")], "here"),
)


def careers(num: int, seed: int, most: int) -> list[list[str]]:
    """Titles of which a few are common and many rare, in several spellings."""
    draw = random.Random(seed)
    return [
        [
            draw.choice(SPELLINGS).format(
                "abcdefghij"[min(9, int(draw.expovariate(0.5)))] * draw.randint(1, most)
            )
            for _ in range(draw.randint(2, 6))
        ]
        for _ in range(num)
    ]


SPLITS = {"train": careers(400, 0, 4), "val": careers(150, 1, 5), "test": careers(150, 2, 6)}
TABLES = {name: pa.table({"titles": found}) for name, found in SPLITS.items()}


def counted(
    settings: VocabularySettings, rule: TitleRule, num_partitions: int, on_ray: bool
) -> VocabularyCounts:
    contents = [
        {
            name: table.slice(at * 140, 140 if at < num_partitions - 1 else None)
            for name, table in TABLES.items()
        }
        for at in range(num_partitions)
    ]
    partitions = Partitions([ray.put(content) for content in contents] if on_ray else contents, on_ray)
    return count_titles(partitions, settings, rule)


@pytest.mark.parametrize(
    "settings", [{}, {"min_count": 4}, {"max_titles": 7}, {"min_count": 3, "max_titles": 30}]
)
@pytest.mark.parametrize("rule", RULES)
def test_the_vocabulary_is_that_of_all_titles_at_once(
    ray_local: None, settings: dict[str, int], rule: TitleRule
) -> None:
    found = [title for career in SPLITS["train"] for title in career]
    whole = TitleEncoder.fit(found, **settings, rule=rule)  # type: ignore[arg-type]
    for num_partitions, on_ray in product((1, 3), (False, True)):
        counts = counted(VocabularySettings(**settings), rule, num_partitions, on_ray)
        kept = TitleEncoder.fit(counts.train, rule=rule)
        assert kept.title_to_idx == whole.title_to_idx
        assert kept.idx_to_title == whole.idx_to_title
        assert all(found.count(spelling) == count for spelling, count in counts.train.items())
        assert {rule.key(spelling) for spelling in counts.train} == {
            rule.key(title) for title in whole.idx_to_title.values() if title != "<UNK>"
        }, "nothing but what is kept leaves the process that counted it"


@pytest.mark.parametrize("rule", RULES)
def test_unseen_titles_are_those_that_no_career_of_train_has(ray_local: None, rule: TitleRule) -> None:
    seen = {rule.key(title) or title for career in SPLITS["train"] for title in career}

    def unseen(titles: list[str]) -> int:
        return sum((rule.key(title) or title) not in seen for title in titles)

    expected = {
        name: (sum(map(unseen, found)), unseen([career[-1] for career in found]))
        for name, found in SPLITS.items()
    }
    assert expected["train"] == (0, 0)
    assert min(expected["val"] + expected["test"]) > 0
    for num_partitions, on_ray in product((1, 3), (False, True)):
        assert counted(VocabularySettings(min_count=5), rule, num_partitions, on_ray).unseen == expected

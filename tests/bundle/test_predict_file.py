import json
import sys
import tracemalloc
from pathlib import Path

import pytest

from tests.support.finalized import renamed
from trajtune import cli
from trajtune.bundle.bundle import Bundle, load_bundle
from trajtune.bundle.predict_file import BLOCK, predict_file, predict_lines
from trajtune.errors import BundleError
from trajtune.storage import atomic


@pytest.fixture(scope="module")
def bundle(finalized: Path) -> Bundle:
    return load_bundle(finalized)


def test_each_line_gets_its_prediction_in_order(bundle: Bundle, tmp_path: Path) -> None:
    titles = list(bundle.encoder.idx_to_title.values())[1:]
    careers = [[titles[i % len(titles)]] * (i % 7 + 1) for i in range(BLOCK + 10)]
    lines = [
        json.dumps({"id": i, "titles": c} if i % 2 else c, ensure_ascii=False) for i, c in enumerate(careers)
    ]
    (tmp_path / "in.jsonl").write_text("\n\n".join(lines), encoding="utf-8")
    assert predict_file(bundle, tmp_path / "in.jsonl", tmp_path / "out.jsonl") == len(careers)
    out = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert [row.get("id") for row in out] == [i if i % 2 else None for i in range(len(careers))]
    for i in (0, 1, BLOCK - 1, BLOCK, BLOCK + 9):
        (alone,) = bundle.predict([careers[i]])
        assert out[i]["next_role"] == alone.next_role
        assert out[i]["tenure_max_months"] == pytest.approx(alone.tenure_max_months, abs=1e-3)
        assert set(out[i]) - {"id"} == set(alone.to_dict())


def test_each_line_reports_what_the_service_sees(finalized: Path, tmp_path: Path) -> None:
    renamed_bundle = load_bundle(renamed(finalized, tmp_path / "bundle", ["C++", "C", "工程师"]))
    lines = predict_lines(renamed_bundle, ['["C", "工程师"]', '["C++"]'], "it")
    assert [json.loads(line)["service_sees"] for line in lines] == [[["C", "C++"], ["工程师", None]], []]


def test_the_command_streams_a_file(
    finalized: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.jsonl").write_text('["Jr. Nurse"]\n' * 3)
    arguments = ["--input", str(tmp_path / "in.jsonl"), "--output", str(tmp_path / "out.jsonl")]
    monkeypatch.setattr(sys, "argv", ["trajtune", "predict", str(finalized), *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert not caught.value.code
    assert capsys.readouterr().out.startswith("3 predictions in ")
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 3


def test_a_career_with_only_unknown_titles_gets_no_prediction(
    bundle: Bundle, finalized: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    careers = ['["Quidditch Keeper", "Wizard"]\n', '["Jr. Nurse", "Wizard"]\n']
    none, some = (json.loads(line) for line in predict_lines(bundle, careers, "it"))
    assert none == {"unknown_titles": ["Quidditch Keeper", "Wizard"], "abstained": True}
    assert not some["abstained"]
    assert some["unknown_titles"] == ["Wizard"]
    (alone,) = bundle.predict([["Jr. Nurse", "Wizard"]])
    assert some["title_set"] == list(alone.title_set)

    def output(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["trajtune", "predict", str(finalized), "Wizard", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert not caught.value.code
        return capsys.readouterr().out

    assert output().startswith("No prediction: the model knows none of these titles.")
    answer = json.loads(output("--json"))
    assert answer["abstained"] is True
    assert set(answer) == {"abstained", "unknown_titles", "priors"}
    assert set(answer["priors"]) == {"tenure_months", "hireability"}


def test_memory_does_not_grow_with_the_size_of_the_file(bundle: Bundle) -> None:
    titles = list(bundle.encoder.idx_to_title.values())[1:]
    lines = [json.dumps([titles[i % len(titles)]] * (i % 5 + 1)) for i in range(100)]

    def peak(num_blocks: int) -> int:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        for _ in predict_lines(bundle, (lines[i % 100] for i in range(num_blocks * BLOCK)), "it"):
            pass
        return tracemalloc.get_traced_memory()[1] - before

    tracemalloc.start()
    try:
        peak(1)
        few, many = peak(2), peak(8)
    finally:
        tracemalloc.stop()
    assert many < 1.2 * few


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"in\.jsonl, line 3 is not JSON"),
        ('"Nurse"', r"line 3 must be a list of titles or an object with `titles`"),
        ('{"titles": "Nurse"}', "line 3 must be a list of titles"),
        ("[]", "line 3 has no title"),
        ('["Nurse", ""]', "line 3 has the title ''"),
        ('["Nurse", 7]', "line 3 has the title 7"),
    ],
)
def test_an_invalid_line_is_named_and_nothing_is_written(
    bundle: Bundle, tmp_path: Path, line: str, message: str
) -> None:
    (tmp_path / "in.jsonl").write_text(f'["Nurse"]\n\n{line}\n')
    with pytest.raises(BundleError, match=message):
        predict_file(bundle, tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert [file.name for file in tmp_path.iterdir()] == ["in.jsonl"]


def test_a_missing_file_is_a_one_line_error(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"in\.jsonl: No such file"):
        predict_file(bundle, tmp_path / "in.jsonl", tmp_path / "out.jsonl")


def test_a_file_that_is_not_utf8_is_a_one_line_error(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(b'["\xff"]\n')
    with pytest.raises(BundleError, match="not UTF-8"):
        predict_file(bundle, tmp_path / "in.jsonl", tmp_path / "out.jsonl")


def test_a_full_disk_is_a_one_line_error(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.jsonl").write_text('["Nurse"]\n' * 100_000)
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    link = tmp_path / "out.jsonl"
    temporary = tmp_path / ".out.jsonl.new"
    temporary.symlink_to(full)
    monkeypatch.setattr(atomic, "_own_name", lambda target: temporary)
    with pytest.raises(BundleError, match="No space left on device"):
        predict_file(bundle, tmp_path / "in.jsonl", link)
    assert not link.exists()

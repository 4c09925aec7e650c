import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.finalized import renamed
from tests.support.installed import clean_environ, empty_environment, install, lend
from trajtune.bundle.bundle import load_bundle, rounded
from trajtune.bundle.manifest import CALIBRATION, MODEL, VOCABULARY
from trajtune.errors import BundleError


@pytest.fixture
def copied(finalized: Path, tmp_path: Path) -> Path:
    """A copy of the bundle that a test may damage."""
    return Path(shutil.copytree(finalized, tmp_path / "bundle"))


def test_predictions_have_readable_titles_and_units(finalized: Path) -> None:
    (found,) = load_bundle(finalized).predict([["Jr. Engenheiro de Produção", "Quidditch Keeper"]])
    assert found.unknown_titles == ("Quidditch Keeper",)
    assert found.next_role == found.top5[0][0]
    assert "<UNK>" not in dict(found.top5)
    assert [p for _, p in found.top5] == sorted((p for _, p in found.top5), reverse=True)
    assert 0 <= found.confidence <= 1
    assert found.low_confidence == (found.confidence < 0.6)
    assert 0 <= found.tenure_min_months <= found.tenure_max_months
    assert found.shown_min_months == max(1, round(found.tenure_min_months))
    assert json.loads(json.dumps(found.to_dict()))["next_role"] == found.next_role


def test_accents_are_kept_in_predictions(finalized: Path) -> None:
    careers = [["Trainee Geschäftsführer", "Jr. Geschäftsführer"]]
    (found,) = load_bundle(finalized).predict(careers)
    assert found.unknown_titles == ()
    assert any("Geschäftsführer" in title for title, _ in found.top5)


def test_titles_of_every_script_are_known_and_differences_in_the_service_are_reported(
    finalized: Path, tmp_path: Path
) -> None:
    path = renamed(finalized, tmp_path / "bundle", ["C++", "C", "工程师"])
    bundle = load_bundle(path)
    assert bundle.encode(["C++", "C", "工程师", "c ++", "C#"]) == [1, 2, 3, 1, 0]
    (found, other) = bundle.predict([["C", "工程师", "C#", "Jr. Nurse"], ["C++", "Nobody"]])
    assert found.unknown_titles == ("C#",)
    assert found.service_sees == (("C", "C++"), ("工程师", None), ("C#", "C++"))
    assert (other.unknown_titles, other.service_sees) == (("Nobody",), ())
    assert found.to_dict()["service_sees"] == found.service_sees

    as_service = load_bundle(path, as_service=True)
    assert as_service.encode(["C++", "C", "工程师", "C#"]) == [1, 1, 0, 1]
    (served,) = as_service.predict([["C", "工程师", "C#", "Jr. Nurse"]])
    (same,) = bundle.predict([["C++", "Nobody", "C++", "Jr. Nurse"]])
    assert served.top5 == same.top5
    assert served.unknown_titles == ("工程师",)
    assert served.service_sees == found.service_sees


def test_a_bundle_without_an_identity_record_uses_the_rule_of_the_service(
    finalized: Path, tmp_path: Path
) -> None:
    path = renamed(finalized, tmp_path / "bundle", ["C++", "C"])
    manifest = json.loads((path / "manifest.json").read_text("utf-8"))
    assert manifest.pop("titles")["identity"] == "unicode"
    (path / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    (found,) = load_bundle(path).predict([["C"]])
    assert load_bundle(path).encode(["C", "C#"]) == [1, 1]
    assert found.service_sees == ()


def test_a_prediction_depends_neither_on_order_nor_on_other_careers_in_the_batch(finalized: Path) -> None:
    bundle = load_bundle(finalized)
    titles = list(bundle.encoder.idx_to_title.values())[1:]
    random = np.random.default_rng(0)
    careers = [list(random.choice(titles, random.integers(1, 12))) for _ in range(600)]
    together = bundle.predict(careers)
    assert len(together) == len(careers)
    for place in (0, 17, 599):
        (alone,) = bundle.predict([careers[place]])
        assert together[place].next_role == alone.next_role
        assert together[place].tenure_max_months == pytest.approx(alone.tenure_max_months, abs=1e-3)
        assert together[place].confidence == pytest.approx(alone.confidence, abs=1e-3)


def test_an_empty_list_of_careers_gives_no_predictions(finalized: Path) -> None:
    assert load_bundle(finalized).predict([]) == []


@pytest.mark.parametrize(
    ("careers", "message"),
    [
        ([["Nurse"], []], "Career 2 has no title"),
        ([["Nurse", "  "]], "Career 1 has the title '  '"),
        ([["Nurse", None]], "Career 1 has the title None"),
        (["Nurse"], "Career 1 must be a list of titles, but is the text 'Nurse'"),
    ],
)
def test_an_invalid_career_is_named_in_the_error(finalized: Path, careers: list, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        load_bundle(finalized).predict(careers)


def test_a_missing_bundle_is_a_one_line_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"No bundle at .*nowhere\. Give the directory"):
        load_bundle(tmp_path / "nowhere")


@pytest.mark.parametrize("name", [MODEL, VOCABULARY])
def test_a_changed_or_missing_file_is_named_in_the_error(copied: Path, name: str) -> None:
    content = bytearray((copied / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"{name} is not the file that was written"):
        load_bundle(copied)
    (copied / name).unlink()
    with pytest.raises(BundleError, match=f"has no {name}"):
        load_bundle(copied)


def test_the_pickle_is_never_read(copied: Path) -> None:
    (copied / "calibrator.pkl").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    assert load_bundle(copied).predict([["Nurse"]])


def test_halves_are_rounded_up_like_in_javascript() -> None:
    assert [rounded(x) for x in (0.5, 1.5, 2.5, -0.5, 2.4999)] == [1, 2, 3, 0, 2]


def test_the_calibration_file_matches_the_graph(finalized: Path) -> None:
    content = json.loads((finalized / CALIBRATION).read_text())
    (found,) = load_bundle(finalized).predict([["Jr. Nurse", "Sr. Nurse"]])
    expected = np.interp(found.top5[0][1], content["breakpoints"], content["values"])
    assert found.confidence == pytest.approx(expected, abs=1e-6)


def test_predicting_imports_no_large_packages(finalized: Path) -> None:
    code = (
        "import sys; from trajtune.bundle.bundle import load_bundle;"
        f"load_bundle({str(finalized)!r}).predict([['Nurse']]);"
        "print({'torch', 'ray', 'pandas', 'sklearn', 'onnx', 'pyarrow'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def test_predicting_needs_only_onnxruntime_and_numpy(finalized: Path, wheel: Path, tmp_path: Path) -> None:
    python = empty_environment(tmp_path / "venv")
    install(python, "--no-deps", "--no-index", str(wheel))
    lend(python, ["numpy", "onnxruntime"])
    careers = [["Jr. Nurse", "Sr. Nurse"], ["Trainee Geschäftsführer"]]
    code = (
        "import json, sys; from importlib.metadata import distributions;"
        "from trajtune.bundle.bundle import load_bundle;"
        "bundle, careers = sys.argv[1:];"
        "found = [p.to_dict() for p in load_bundle(bundle).predict(json.loads(careers))];"
        "print(json.dumps([sorted({d.name for d in distributions()}), found]))"
    )
    command = [str(python), "-c", code, str(finalized), json.dumps(careers)]
    out = subprocess.run(
        command, cwd=tmp_path, env=clean_environ(), capture_output=True, text=True, check=True
    ).stdout
    installed, predictions = json.loads(out)
    assert installed == ["numpy", "onnxruntime", "trajtune"]
    assert predictions == json.loads(
        json.dumps([p.to_dict() for p in load_bundle(finalized).predict(careers)])
    )


def test_predictions_and_the_bundle_show_themselves_in_short(finalized: Path) -> None:
    bundle = load_bundle(finalized)
    known = bundle.encoder.decode(1)
    predictions = bundle.predict([[known], ["no such <title>"]])
    assert repr(predictions[0]).startswith(f"<Prediction {predictions[0].next_role} (")
    assert repr(predictions[1]) == "<Prediction: none, because no title of the career is known>"
    assert predictions[0].next_role in predictions[0]._repr_html_()
    shown = predictions._repr_html_()
    assert "<b>2 predictions</b>" in shown
    assert "no such &lt;title&gt;" in shown
    assert repr(bundle) == f"<Bundle {finalized}: {bundle.encoder.vocab_size - 1:,} titles, gates not passed>"
    assert "<td>gate parity</td><td>passed</td>" in bundle._repr_html_()


def test_predictions_are_a_list_and_a_data_frame(finalized: Path) -> None:
    bundle = load_bundle(finalized)
    predictions = bundle.predict([[bundle.encoder.decode(1)], ["no such title"]])
    frame = predictions.to_frame()
    assert isinstance(predictions, list)
    assert list(frame.columns)[:2] == ["next_role", "confidence"]
    assert frame.loc[0, "next_role"] == predictions[0].next_role
    assert list(frame["abstained"]) == [False, True]
    assert frame["next_role"].isna().tolist() == [False, True]
    assert bundle.predict([]).to_frame().empty

"""Documented commands that no test runs as they are written, each with the reason."""

LONG = "takes minutes; runs in a small form"
STEPS = "trains; tests/project/test_specification.py runs the same chain"
INSTALLS = "installs; tests/project/test_wheel.py installs a wheel"
DOWNLOADS = "reads a downloaded file; tests/project/test_whole_way.py has the pipeline on real careers"
BEST = "--checkpoint models/best.pt"
NOT_RUN = {
    "make demo": "takes minutes; `trajtune search smoke` and `finalize` are the same in a small form",
    "make test": "runs the tests; this one is a part of `make test-all`",
    "trajtune demo": "takes minutes; `trajtune search smoke` and `finalize` are the same in a small form",
    ".venv/bin/trajtune predict bundles/20261128-033807 'Software Engineer' 'Senior Software Engineer'": (
        "belongs to the demo's transcript; predicts from bundles/first in the tutorial"
    ),
    "trajtune search --resume first --snapshot /data/snapshots/ba79788855e99130": (
        "is of another place; tests/searching/test_run.py moves a project"
    ),
    "trajtune search --resume first --space my_space.yaml --trials 6": (
        "needs a space that contains the trials; tests/searching/test_search.py changes one"
    ),
    "trajtune init experiment.yaml": "asks on a terminal; tests/cli/test_init.py answers",
    "trajtune search --trials 50": f"{LONG} with --resume, and `prepare` reads the same database",
    "trajtune finalize": f"{LONG}: `trajtune finalize first`",
    "trajtune search mine.yaml --run mine": f"{LONG}: `trajtune search smoke`, and with --dry-run",
    "trajtune finalize mine": f"{LONG}: `trajtune finalize first`",
    "trajtune finalize first --out bundles/gated --require-gates": (
        "exits 3 as it should; tests/finalizing/test_run.py requires gates"
    ),
    "ray start --head --port=6379": "starts a cluster; tests/searching/faults/test_faults.py has one",
    "ray start --address=HEAD:6379": "joins a cluster; tests/searching/faults/test_faults.py has one",
    "cd /shared/work": "is not on this machine",
    "trajtune search cluster --run long --address auto": (
        "needs a cluster; tests/project/test_shipped_files.py searches the experiment in a small form"
    ),
    "trajtune status long": "is of the cluster's run; runs for `first`",
    "trajtune finalize long --address auto": "is of the cluster's run; runs for `first`",
    "trajtune init --from ministers.csv --yes ministers.yaml": DOWNLOADS,
    "trajtune prepare ministers.yaml": DOWNLOADS,
    "trajtune search ministers.yaml --trials 4 --run ministers": DOWNLOADS,
    "trajtune finalize ministers": DOWNLOADS,
    "trajtune init --from congress.jsonl --yes congress.yaml": DOWNLOADS,
    "trajtune prepare congress.yaml": DOWNLOADS,
    "trajtune search congress.yaml --trials 4 --run congress": DOWNLOADS,
    "trajtune finalize congress": DOWNLOADS,
    "trajtune init --from judges.csv --yes judges.yaml": DOWNLOADS,
    "trajtune search judges.yaml --run judges": DOWNLOADS,
    "trajtune finalize judges": DOWNLOADS,
    "trajtune search gpu --dry-run": "needs a GPU; test_shipped_files.py searches it on the CPU",
    "python -m benchmarks.gpu --json gpu.jsonl": "needs a GPU; `--device cpu --quick` rehearses it",
    "trajtune search gpu": "needs a GPU; test_shipped_files.py searches it on the CPU",
    "trajtune compare first second": "needs a second run; tests/finalizing/test_compare.py compares two",
    "trajtune compare bundles/first bundles/second --html comparison.html": (
        "needs a second bundle; tests/finalizing/test_compare.py compares two"
    ),
    "trajtune search smoke --json-log": "runs without --json-log; tests/searching/show/test_json_log.py",
    "trajtune dashboard first --port 8080": "serves until stopped; tests/searching/show/test_dashboard.py",
    "trajtune train --db-url '$POSTGRES_URL' --epochs 50 --output models/ --research-default": STEPS,
    f"trajtune export {BEST} --vocab models/vocab.json --output models/trajectory-lstm.onnx": STEPS,
    f"trajtune calibrate {BEST} --data-path snapshots/ --output models/calibrator.pkl": STEPS,
    f"trajtune evaluate {BEST} --data-path snapshots/ --output models/evaluation_report.md": STEPS,
    "pip install .": INSTALLS,
    "python -m build": INSTALLS,
    "pip install 'dist/trajtune-*.whl'": INSTALLS,
    "pip install torch --index-url https://download.pytorch.org/whl/cpu": INSTALLS,
    "docker build --file deploy/Dockerfile --tag registry.example.com/trajtune:1 .": "needs Docker",
    "pip install 'trajtune[dashboard]'": "installs; the tests' extra holds it",
    "pip install 'trajtune[serve]'": "installs; the tests' extra holds it",
    "trajtune serve bundles/first --port 8000": "serves until stopped; tests/serving/test_serve.py",
    "trajtune serve champion/bundle": "serves until stopped; tests/serving/test_serve.py",
    "trajtune register bundles/first --mlflow next-role": "needs a store; tests/serving/test_register.py",
    "mlflow artifacts download --artifact-uri models:/next-role@champion --dst-path champion": (
        "needs a store; tests/serving/test_register.py downloads in Python"
    ),
    "npm install onnxruntime-node@1.30.0": "installs; tests/service does it",
}

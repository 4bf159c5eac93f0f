"""Kernels compiled ahead of time: the same bits as numba's, complete, refused where they do not fit, on nobody's private word."""

from __future__ import annotations

import ast
import pickle
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from contract.batch import TICK
from contract.quality import Quality
from edge_agent.detect.kernels import library
from edge_agent.detect.kernels.signatures import KERNELS
from edge_agent.detect.layout import PARAMS, TRANSITION, new_state

ROOT = Path(__file__).parents[3]
KERNEL_FOLDER = Path(library.__file__).parent
MACHINE = platform.machine()

pytestmark = pytest.mark.skipif(MACHINE not in {"x86_64", "aarch64"}, reason="no library is made for this processor")


@pytest.fixture(scope="module")
def built(tmp_path_factory, require_system) -> Path:
    """A folder with the libraries that ``make kernels`` makes; a changed interface of numba fails here, with its words."""
    pytest.importorskip("numba")
    require_system("ld")
    folder: Path = tmp_path_factory.mktemp("compiled")
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "build_kernels.py", "--into", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"numba's private interface? see tools/numba_ahead.py\n{done.stdout}{done.stderr}"
    return folder


def stream(seed: int) -> tuple[np.ndarray, ...]:
    """Columns of 3000 rows: samples of 20 points and TICKs, time that stands, leaps and goes back."""
    chance, rows = np.random.default_rng(seed), 3000
    point = np.where(chance.random(rows) < 0.1, TICK, chance.integers(0, 20, rows)).astype(np.int32)
    mono_ns = np.cumsum(chance.choice([0, 1, 2, 5, -2], rows)).astype(np.int64) + 10_000
    value = chance.choice([-3.0, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 1e300, np.nan, np.inf, -np.inf], rows)
    quality = chance.choice([*[0] * 12, *(int(each) for each in Quality)], rows).astype(np.uint8)
    return point, mono_ns + 10**18, mono_ns, value, quality, np.arange(rows, dtype=np.int64)


def params(seed: int) -> np.ndarray:
    """Random in every field, whatever fields there are: limits on the grid of the values, delays of few nanoseconds."""
    chance, made = np.random.default_rng(seed), np.zeros(20, PARAMS)
    for name in PARAMS.names or ():
        if PARAMS[name].kind == "f":
            made[name] = chance.choice([np.nan, 0.0, 0.5, 1.0, 2.0], 20)
        elif PARAMS[name].kind in "iu":
            made[name] = chance.integers(0, 4, 20)
    return made


def judged(judge, seed: int) -> list[bytes]:
    """All that a kernel wrote and returned over a stream: results, transitions, state."""
    columns, state, out, found = stream(seed), new_state(20, 10_000), np.zeros(40, TRANSITION), []
    settings = params(seed)
    for _ in range(20_000):
        consumed, written = judge(*columns, settings, state, out)
        found += [bytes([written]), *(out[name][:written].tobytes() for name in TRANSITION.names or ())]
        columns = tuple(column[consumed:].copy() for column in columns)
        if not len(columns[0]):
            break
    assert not len(columns[0])
    return [*found, *(state[name].tobytes() for name in state.dtype.names or ())]


JUDGED = """
import importlib.util, pickle, sys
spec = importlib.util.spec_from_file_location("test_ahead", sys.argv[1])
test = importlib.util.module_from_spec(spec); spec.loader.exec_module(test)
from edge_agent.detect.kernels import conditions, jit
assert jit.HOW == "jit", jit.description()
sys.stdout.buffer.write(pickle.dumps([test.judged(conditions.judge, seed) for seed in range(8)]))
"""


def test_ahead_of_time_is_just_in_time_bit_for_bit(built, monkeypatch) -> None:
    monkeypatch.setenv("PARKSENTRY_KERNELS", "jit")
    done = subprocess.run([sys.executable, "-c", JUDGED, __file__], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    expected = pickle.loads(done.stdout)
    ahead = library.load(folder=built)["conditions.judge"]
    found = [judged(ahead, seed) for seed in range(8)]
    assert found == expected
    assert sum(len(part) for run in found for part in run) > 100_000, "too few transitions to compare"


def test_every_kernel_has_a_signature() -> None:
    decorated = {
        f"{path.stem}.{node.name}"
        for path in KERNEL_FOLDER.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(each, ast.Attribute) and each.attr == "kernel" for each in node.decorator_list)
    }
    assert decorated == {each.name for each in KERNELS}


def test_what_kernels_take_from_elsewhere_is_in_the_hash() -> None:
    hashed = {name.removesuffix(".py").replace("/", ".") for name in library.OUTSIDE}
    taken = {
        node.module
        for path in (*KERNEL_FOLDER.glob("*.py"), *(ROOT / name for name in library.OUTSIDE if "layout" in name))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in {"contract", "edge_agent"}
        and not node.module.startswith("edge_agent.detect.kernels")
    }  # fmt: skip
    assert taken <= hashed


def test_libraries_are_the_same_bytes_each_time(built, tmp_path) -> None:
    subprocess.run([sys.executable, ROOT / "tools" / "build_kernels.py", "--into", tmp_path], check=True)
    names = [path.name for path in built.iterdir()]
    assert library.path_for(MACHINE).name in names
    assert [(tmp_path / name).read_bytes() for name in names] == [(built / name).read_bytes() for name in names]


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda body: body[:-100], "damaged"),
        (lambda body: body[:2000] + bytes([body[2000] ^ 1]) + body[2001:], "damaged"),
        (lambda body: body[:-129] + b"0" * 64 + body[-65:], "other source"),
    ],
)
def test_a_library_that_does_not_fit_is_refused(built, tmp_path, spoil, word) -> None:
    path = library.path_for(MACHINE, tmp_path)
    path.write_bytes(spoil(library.path_for(MACHINE, built).read_bytes()))
    with pytest.raises(library.Refused, match=word):
        library.load(folder=tmp_path)


def test_no_library_is_told(tmp_path) -> None:
    with pytest.raises(library.Refused, match="no library"):
        library.load(folder=tmp_path)


def test_an_array_of_another_kind_is_refused(built) -> None:
    ahead = library.load(folder=built)["conditions.judge"]
    arrays = [*stream(1), params(1), new_state(20, 0), np.zeros(40, TRANSITION)]
    for place in range(len(arrays)):
        wrong = list(arrays)
        wrong[place] = np.zeros(8, np.float32)
        with pytest.raises(TypeError):
            ahead(*wrong)
    with pytest.raises(TypeError):
        ahead(*[each[::2] for each in arrays])

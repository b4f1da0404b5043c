"""Models for the command line: skops and ONNX files, and a scoring command of the user."""

import shlex
import subprocess
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from shiftlab.exceptions import InputError

__all__ = ["CommandModel", "OnnxModel", "load_black_box"]

#: Longest time that the scoring command may take for one table, in seconds.
TIMEOUT = 600


def load_black_box(path: str, trusted: Sequence[str]) -> Any:
    """Read a model file; nothing in it is executed.

    Parameters
    ----------
    path : str
        File with the ending .skops or .onnx.
    trusted : sequence of str
        Further types that a skops file may hold.
    """
    if Path(path).suffix.lower() == ".onnx":
        return OnnxModel(path)
    from shiftlab._core.persist import load_model

    return load_model(path, trusted=trusted)


class OnnxModel:
    """An ONNX file as a function of a data frame."""

    def __init__(self, path: str) -> None:
        from shiftlab._core.optional import import_optional

        if not Path(path).is_file():
            raise InputError(f"--model: there is no file {path}.")
        runtime = import_optional("onnxruntime", extra="onnx", purpose="Reading an ONNX model")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session = runtime.InferenceSession(path, options)
        except Exception as error:
            raise InputError(f"--model: {path} is not a readable ONNX file ({error}).") from error
        self._inputs = self._session.get_inputs()

    @property
    def features(self) -> list[str] | None:
        """Names of the inputs if there is one for each column, else None."""
        return None if len(self._inputs) == 1 else [each.name for each in self._inputs]

    def __call__(self, frame: Any) -> Any:
        """Return the probability of the second class, or the value, of each row."""
        import numpy as np

        outputs = self._session.run(None, self._feed(frame))
        scores = outputs[-1]
        if isinstance(scores, list):  # one dictionary per row, from label to probability
            labels = sorted(scores[0], key=str)
            scores = np.array([[row[label] for label in labels] for row in scores])
        return np.asarray(scores, dtype=np.float64)

    def _feed(self, frame: Any) -> dict[str, Any]:
        import numpy as np

        kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64}
        if len(self._inputs) == 1:
            only = self._inputs[0]
            return {only.name: np.asarray(frame, dtype=kinds.get(only.type, np.float32))}
        feed = {}
        for each in self._inputs:
            column = frame[each.name].to_numpy()
            if each.type == "tensor(string)":
                feed[each.name] = np.array([str(v) for v in column], dtype=object)[:, None]
            else:
                kind = (
                    np.int64 if each.type == "tensor(int64)" else kinds.get(each.type, np.float32)
                )
                feed[each.name] = column.astype(kind)[:, None]
        return feed


class CommandModel:
    """A command that reads a CSV table on standard input and prints one prediction per row."""

    def __init__(self, command: str) -> None:
        self._words = shlex.split(command)
        if not self._words:
            raise InputError("--scorer is empty; give the command that scores a table.")

    def __call__(self, frame: Any) -> Any:
        """Return one prediction per row."""
        import numpy as np
        import pandas as pd

        table = pd.DataFrame(frame).to_csv(index=False)
        try:
            run = subprocess.run(  # noqa: S603 - the user's own command, without a shell
                self._words,
                input=table,
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            last = (error.stderr or "").strip().splitlines()[-1:] or ["no message"]
            raise InputError(f"--scorer failed with code {error.returncode}: {last[0]}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InputError(f"--scorer cannot be run: {error}.") from error
        lines = run.stdout.strip().splitlines()
        if lines and not _is_number(lines[0].split(",")[-1]):
            lines = lines[1:]  # a header
        if not lines:
            raise InputError("--scorer must print one number per row; it printed none.")
        try:
            return np.loadtxt(StringIO("\n".join(lines)), delimiter=",", ndmin=2)[:, -1]
        except ValueError as error:
            raise InputError(
                "--scorer must print one number per row (a header line is allowed)."
            ) from error


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

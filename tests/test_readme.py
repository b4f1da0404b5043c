"""What the README claims is what happens."""

import re
from pathlib import Path

import pytest

from shiftlab.cli import main

README = Path(__file__).parents[1] / "README.md"
NUMBER = re.compile(r"[-−+]?\d[\d,]*\.?\d*(?:e-?\d+)?")


@pytest.fixture(scope="module")
def text():
    if not README.exists():
        pytest.skip("the README is not part of an installed package")
    return README.read_text(encoding="utf-8")


def numbers(line):
    plain = (n.replace(",", "").replace("−", "-").rstrip(".") for n in NUMBER.findall(line))
    return [float(n) for n in plain]


def test_example_prints_the_findings_that_the_readme_shows(text, capsys, tmp_path):
    assert main(["report", "--example", "--out", str(tmp_path)]) == 0
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("- ")]
    shown = [line for line in text.split("```text\n")[1].split("```")[0].splitlines() if line]
    assert len(printed) == len(shown)
    for now, then in zip(printed, shown, strict=True):
        # Wording must be equal; numbers may differ by what another processor rounds differently.
        assert NUMBER.sub("#", now) == NUMBER.sub("#", then)
        assert numbers(now) == pytest.approx(numbers(then), rel=0.1, abs=0.002)


def test_python_blocks_run(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})  # noqa: S102
    assert (tmp_path / "lending-report" / "report.html").exists()


def test_set_up_commands_are_one_line_each(text):
    commands = re.findall(r"^python3 -m venv .*$", text, flags=re.MULTILINE)
    assert len(commands) == 2
    assert commands[0].endswith("shiftlab report --example")
    assert "pytest" in commands[1]


def test_pictures_exist(text):
    for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text):
        assert (README.parent / path).is_file(), path

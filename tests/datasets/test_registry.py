"""The registry is complete, agrees with the cards and with the files."""

import hashlib
import re
from pathlib import Path

import pytest

import shiftlab.datasets
from shiftlab.datasets._dataset import NOT_COVARIATES
from shiftlab.datasets._fetch import read_card
from shiftlab.datasets._registry import Entry, read_registry, registry_root

SETS = list(read_registry().values())
PACKAGED = [info for info in SETS if info.packaged]
ROLES = NOT_COVARIATES | {"feature", "environment", "sensitive", "time"}
CARD_SECTIONS = [
    "Provenance",
    "Population",
    "Consent and ethics",
    "Intended uses",
    "Unsuitable uses",
    "Caveats",
]
every_set = pytest.mark.parametrize("info", SETS, ids=lambda info: info.name)


@every_set
def test_entry_documents_provenance(info: Entry):
    for value in (info.title, info.version, info.licence, info.source, info.citation):
        assert value.strip()
    assert info.caveats


@every_set
def test_every_file_has_checksum_and_size(info: Entry):
    named = {*info.tables.values(), *info.extras.values()}
    assert named <= set(info.files)
    for file in info.files.values():
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.bytes > 0
    for name in info.tables.values():
        assert info.files[name].rows > 0
        assert info.files[name].columns > 0


@every_set
def test_roles_are_known_words(info: Entry):
    assert set(info.roles.values()) <= ROLES


@every_set
def test_card_has_its_sections_and_the_caveats_of_the_registry(info: Entry):
    card = read_card(info.name)
    sections = re.findall(r"^## (.+)$", card, flags=re.MULTILINE)
    assert [section for section in sections if section in CARD_SECTIONS] == CARD_SECTIONS
    assert card.startswith(f"# {info.title}\n")
    for caveat in info.caveats:
        assert f"- {caveat}\n" in card


@every_set
def test_every_set_has_a_loader_of_its_name(info: Entry):
    verb = "load" if info.packaged else "fetch"
    loader = getattr(shiftlab.datasets, f"{verb}_{info.name}")
    assert loader.__name__ == f"{verb}_{info.name}"


def test_every_loader_has_a_set():
    loaders = {n for n in shiftlab.datasets.__all__ if re.match(r"(load|fetch)_", n)}
    assert loaders == {f"{'load' if i.packaged else 'fetch'}_{i.name}" for i in SETS}


def test_every_file_in_the_folder_is_registered_or_documentation():
    root = registry_root()
    assert isinstance(root, Path)
    registered = {f"{i.folder}/{name}" for i in PACKAGED for name in i.files}
    for path in root.rglob("*"):
        if path.is_file() and path.suffix not in (".md", ".py", ".toml", ".pyc"):
            assert str(path.relative_to(root)) in registered


@pytest.mark.parametrize("info", PACKAGED, ids=lambda info: info.name)
def test_packaged_files_match_their_checksum(info: Entry):
    for file in info.files.values():
        content = registry_root().joinpath(info.folder, file.name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file.sha256
        assert len(content) == file.bytes


def test_readme_lists_every_table_with_its_shape():
    readme = registry_root().joinpath("README.md").read_text(encoding="utf-8")
    for info in SETS:
        for table, filename in info.tables.items():
            file = info.files[filename]
            label = f", table `{table}`" if len(info.tables) > 1 else ""
            verb = "load" if info.packaged else "fetch"
            start = f"| [`{verb}_{info.name}`]({info.name}/CARD.md){label} |"
            assert f"{start} {file.rows:,} x {file.columns} |" in readme

import json

import pytest

from shiftlab.exceptions import InputError
from shiftlab.graphs import Knowledge

TIERS = [["age", "sex"], ["dose"], ["risk", "cost"]]


def test_tiers_forbid_the_past():
    known = Knowledge(tiers=TIERS, closed_tiers=[0])
    assert known.may_cause("age", "risk")
    assert not known.may_cause("risk", "age")
    assert not known.may_join("age", "sex")
    assert known.may_cause("risk", "cost")
    assert known.may_cause("other", "age")
    assert known.decided("age", "dose") == ("age", "dose")
    assert known.decided("risk", "cost") is None
    assert known.decided("age", "sex") is None


def test_required_edges_decide():
    known = Knowledge(required=[("a", "b")])
    assert known.must_join("b", "a")
    assert known.decided("b", "a") == ("a", "b")
    assert not known.may_cause("b", "a")


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        ({"required": [("a", "b")], "forbidden": [("a", "b")]}, "contradicts itself"),
        ({"required": [("a", "b"), ("b", "a")]}, "contradicts itself"),
        ({"required": [("a", "b"), ("b", "c"), ("c", "a")]}, "form a cycle"),
        ({"tiers": [["a"], ["b"]], "required": [("b", "a")]}, "contradicts itself"),
        ({"tiers": [["a"], ["a"]]}, "two tiers"),
        ({"tiers": [["a"]], "closed_tiers": [3]}, "does not exist"),
        ({"changing": ["a"], "unchanging": ["a"]}, "to change and not"),
        ({"required": ["ab"]}, "list of names"),
        ({"required": [("a", "a")]}, "needs pairs"),
        ({"tiers": ["ab"]}, "list of names"),
    ],
)
def test_contradictions_are_refused(statements, message):
    with pytest.raises(InputError, match=message):
        Knowledge(**statements)


def test_names_must_exist():
    with pytest.raises(InputError, match=r"speaks of '?x'?, which the table"):
        Knowledge(changing=["x"]).check_names(["a"])


def test_three_file_formats_agree(tmp_path):
    wanted = Knowledge(
        tiers=TIERS, closed_tiers=[0], required=[("age", "dose")], forbidden=[("risk", "cost")]
    )
    (tmp_path / "k.json").write_text(json.dumps({k: v for k, v in wanted.to_dict().items() if v}))
    (tmp_path / "k.toml").write_text(
        'tiers = [["age", "sex"], ["dose"], ["risk", "cost"]]\nclosed_tiers = [0]\n'
        'required = [["age", "dose"]]\nforbidden = [["risk", "cost"]]\n'
    )
    (tmp_path / "k.txt").write_text(
        "/knowledge\naddtemporal\n0* age sex\n1 dose\n2 risk cost\n\n"
        "forbiddirect\nrisk cost\nrequiredirect\nage dose\n"
    )
    for suffix in ("json", "toml", "txt"):
        assert Knowledge.from_file(tmp_path / f"k.{suffix}") == wanted


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("k.json", "{", "not valid json"),
        ("k.json", "[1]", "unknown key"),
        ("k.json", '{"tier": []}', "unknown key"),
        ("k.txt", "tiers", "starts with"),
        ("k.txt", "/knowledge\naddtemporal\nx a", "start with a tier"),
        ("k.txt", "/knowledge\nforbiddirect\na b c", "cannot be read"),
    ],
)
def test_bad_files_are_explained(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        Knowledge.from_file(tmp_path / name)


def test_absent_file_is_named():
    with pytest.raises(InputError, match=r"nowhere\.json"):
        Knowledge.from_file("nowhere.json")

"""Small tables with known answers, and a reader of pages."""

from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

#: Names that would do harm if a page, a style sheet or a figure took them at their word.
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><b>",
    "new\nline",
    "$x^2$ & \\frac",
    "{{ 7 * 7 }}",
)


class PageReader(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture
def read_page():
    def read(html):
        reader = PageReader()
        reader.feed(html)
        return reader

    return read


@pytest.fixture
def hostile_names():
    return HOSTILE


@pytest.fixture(scope="session")
def make_table():
    """Three sites of equal size; `dose` is shifted at site c, and so is the share of kind b."""

    def make(n=120, seed=0, sites=("a", "b", "c")):
        rng = np.random.default_rng(seed)
        site = np.repeat(sites, n)
        last = site == sites[-1]
        dose = rng.normal(size=len(site)) + 1.0 * last
        age = rng.normal(50, 10, size=len(site))
        kind = np.where(rng.random(len(site)) < 0.3 + 0.4 * last, "b", "a")
        y = 2 * dose + rng.normal(size=len(site))
        approved = (rng.random(len(site)) < 0.5 + 0.2 * (kind == "b")).astype(int)
        frame = pd.DataFrame(
            {
                "site": site,
                "dose": dose,
                "age": age,
                "kind": kind,
                "sex": rng.choice(["f", "m"], size=len(site)),
                "y": y,
                "good": (y > 0).astype(int),
                "approved": approved,
            }
        )
        frame.loc[rng.random(len(site)) < 0.05, "age"] = np.nan
        return frame

    return make

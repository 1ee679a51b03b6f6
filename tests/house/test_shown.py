"""What notebooks show: whatever a name holds, it stays text."""

from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

import flare_core as flare
from flare_core.shown import MOST_ROWS, lines, paragraph, table
from tests.worlds import NOW, intent, offer, world

HOSTILE = st.text("<>&\"'/ax=\u6771;!-", max_size=24)
TAGS = {"table", "thead", "tbody", "tr", "th", "td", "p", "strong", "ul", "li"}


class Seen(HTMLParser):
    """The tags, attributes and text of a document."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[object] = []
        self.said: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if attrs:
            self.attributes.append(attrs)

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    def handle_comment(self, data: str) -> None:
        self.tags.append("comment")

    def handle_decl(self, decl: str) -> None:
        self.tags.append("declaration")


def harmless(text: str) -> Seen:
    seen = Seen(text)
    assert set(seen.tags) <= TAGS
    assert not seen.attributes
    return seen


@given(HOSTILE, st.lists(HOSTILE, max_size=3))
def test_any_text_stays_text(one: str, more: list[str]) -> None:
    for shown in (table([one], [[each] for each in more]), paragraph(one, one), lines(one, more)):
        said = "".join(harmless(shown).said)
        assert all(each in said for each in more if shown != paragraph(one, one))


@settings(max_examples=20)
@given(HOSTILE.filter(str.strip), HOSTILE.filter(str.strip))
def test_hostile_names_do_not_leave_their_cells(name: str, provider: str) -> None:
    told = world(intent(), offer(f"o{name}x", provider=f"p{provider}x"))
    asked = flare.read_intent(told.intents[0])
    inventory = flare.read_inventory({"version": 1, "offers": list(told.offers)})
    why, front = flare.explain(asked, inventory, now=NOW), flare.pareto(asked, inventory, now=NOW)
    for each in (told.place(), inventory, why, front):
        text = "".join(harmless(each._repr_html_()).said)
        assert f"o{name}x" in text or f"p{provider}x" in text
        assert len(repr(each)) < 200


def test_a_refusal_is_shown_with_its_code_and_many_rows_are_counted() -> None:
    plan = world(intent(constraints__max_hourly_cost="0.1 EUR"), offer("o")).place()
    assert "COST_LIMIT_EXCEEDED" in plan._repr_html_()
    assert "rejected" in repr(plan)
    assert "and 5 more" in table(["n"], [[k] for k in range(MOST_ROWS + 5)])

"""
Fiscal records on their way to the agency's stand-in, and what others' software lost them by.

However it goes wrong, in the end the agency has every record once, in the order of the chain, and
we know what it made of each.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from xml.etree.ElementTree import tostring

import pytest

from billing import deadline
from billing.domain.fiscal_sending import AT_ONCE
from billing.domain.verifactu import AgencyError, RecordState
from billing.verifactu.messages import submission
from billing.verifactu.record import record_element
from local.tax_agency import Orders
from tests.integration.agency import LEGAL_NAME, TAX_ID, OtherSoftware, Place, running
from tests.integration.fiscal import Books, Sender, Time

ACCEPTED, REJECTED = RecordState.ACCEPTED, RecordState.REJECTED
PENDING = RecordState.PENDING


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def place(tmp_path: Path, time: Time) -> Iterator[Place]:
    with running(tmp_path, clock=time) as made:
        yield made


@pytest.fixture
def books(time: Time) -> Books:
    return Books(time)


@pytest.fixture
def sender(books: Books, place: Place) -> Sender:
    return Sender(books, place)


def check_all_is_well(books: Books, place: Place) -> None:
    """No record missing, none twice, the chain whole, and every state the agency's own."""
    kept = {each.huella: each.state for each in place.agency.kept.values()}
    states = books.states
    assert PENDING not in states.values()
    accepted = [each for each in books.records if states[each.position] is not REJECTED]
    assert list(kept) == [each.huella for each in accepted]
    assert [kept[each.huella] for each in accepted] == [
        "Correcto" if states[each.position] is ACCEPTED else "AceptadoConErrores"
        for each in accepted
    ]
    assert not place.agency.breaks
    assert not books.answered_twice
    assert not books.unsent


# ---------------------------------------------------------------- as it goes


def test_sends_what_is_pending_in_the_order_of_the_chain(
    books: Books, sender: Sender, place: Place
) -> None:
    books.issue(5)

    (sent,) = sender.send()

    assert [each.record.position for each in sent.records] == [1, 2, 3, 4, 5]
    assert not sent.late
    assert {each.csv for each in books.verdicts.values()} != {None}
    check_all_is_well(books, place)


def test_waits_as_long_as_the_agency_asks(
    books: Books, sender: Sender, place: Place, time: Time
) -> None:
    place.agency.orders = Orders(wait_seconds=90)
    for _ in range(2):
        books.issue()
        sender.send()
    time.passes(seconds=89)
    sender.send()
    assert place.agency.messages == 1

    time.passes(seconds=1)
    sender.send()

    assert place.agency.messages == 2
    check_all_is_well(books, place)


def test_waits_no_longer_once_a_message_is_full(
    books: Books, sender: Sender, place: Place, time: Time
) -> None:
    books.issue()
    sender.send()
    books.issue(AT_ONCE)

    sender.send()

    assert place.agency.messages == 2
    check_all_is_well(books, place)


def test_one_bad_record_holds_up_no_other(
    books: Books, sender: Sender, place: Place, time: Time
) -> None:
    place.agency.orders = Orders(reject={"F2026-000002": 1239})
    books.issue(3)
    sender.send()
    time.passes(seconds=60)
    books.issue()

    sender.send()

    assert [each.value for each in books.states.values()] == [
        "accepted",
        "rejected",
        "accepted",
        "accepted",
    ]
    verdict = books.verdicts[2]
    assert verdict.errors == (AgencyError("1239", "Rechazado por orden de la prueba."),)
    assert (verdict.csv, books.verdicts[3].csv is None) == (None, False)
    check_all_is_well(books, place)


# ---------------------------------------------------------------- as it goes wrong


def test_an_answer_that_was_lost_is_asked_for(
    books: Books, sender: Sender, place: Place, time: Time
) -> None:
    place.agency.orders = Orders(lose_answers=True, reject={"F2026-000003": 1110})
    books.issue(3)
    (lost,) = sender.send()
    assert lost.reason
    assert set(books.states.values()) == {PENDING}
    place.agency.orders = Orders(reject={"F2026-000003": 1110})
    books.issue()
    time.passes(seconds=60)

    (sent,) = sender.send()

    assert sent.late
    assert place.agency.queries == 1
    assert [each.value for each in books.states.values()] == [
        "accepted",
        "accepted",
        "rejected",
        "accepted",
    ]
    check_all_is_well(books, place)


def test_what_the_agency_kept_with_errors_is_known_to_have_them(
    books: Books, sender: Sender, place: Place, time: Time
) -> None:
    place.agency.orders = Orders(lose_answers=True)
    books.issue()
    time.passes(seconds=-300)  # an hour hand that went wrong: the record comes from the future
    sender.send()
    place.agency.orders = Orders()
    time.passes(seconds=60)

    sender.send()

    assert books.states[1] is RecordState.ACCEPTED_WITH_ERRORS
    assert books.verdicts[1].errors[0].code == "2004"
    check_all_is_well(books, place)


def test_a_number_that_another_software_used_is_rejected(
    books: Books, sender: Sender, place: Place, time: Time
) -> None:
    other = OtherSoftware(installation="2").record(time.now.astimezone())
    place.line().post(submission(LEGAL_NAME, TAX_ID, [other], late=False))
    books.issue(2)

    sender.send()

    assert [each.value for each in books.states.values()] == ["rejected", "accepted"]
    assert books.verdicts[1].errors[0].code == "3000"


@pytest.mark.parametrize(("lost", "state"), [(True, "accepted"), (False, "rejected")])
def test_the_agencys_word_stands_where_it_finds_nothing(
    books: Books,
    sender: Sender,
    place: Place,
    time: Time,
    monkeypatch: pytest.MonkeyPatch,
    lost: bool,
    state: str,
) -> None:
    books.issue()
    if lost:
        place.agency.orders = Orders(lose_answers=True)
        sender.send()
        place.agency.orders = Orders()
        time.passes(seconds=60)
    else:
        other = OtherSoftware(installation="2").record(time.now.astimezone())
        place.line().post(submission(LEGAL_NAME, TAX_ID, [other], late=False))
    monkeypatch.setattr("local.tax_agency._is_asked_for", lambda *_: False)

    sender.send()

    assert books.states[1].value == state
    assert place.agency.queries == 1


def test_asks_again_where_the_question_was_not_answered(
    books: Books, sender: Sender, place: Place, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.agency.orders = Orders(lose_answers=True)
    books.issue(2)
    sender.send()
    books.issue()
    place.agency.orders = Orders()
    time.passes(seconds=60)
    with monkeypatch.context() as patched:
        patched.setattr("local.tax_agency.TaxAgency._answer_query", lambda *_: "<html/>")
        (sent,) = sender.send()
    assert sent.reason == "The tax agency's answer is no answer to what was sent."
    assert [each.value for each in books.states.values()] == ["pending", "pending", "accepted"]
    time.passes(minutes=2)

    sender.send()

    assert set(books.states.values()) == {ACCEPTED}
    assert not books.answered_twice


@pytest.mark.parametrize(
    ("orders", "reason"),
    [
        (Orders(too_many=True), "takes no more messages"),
        (Orders(refuse_certificates=True), "refused the certificate"),
        (Orders(hang_up=True), "No line"),
        (Orders(fault="4112"), "Codigo[4112]"),
        (Orders(fault="Server"), "refused the message"),
    ],
)
def test_what_was_not_taken_is_sent_again_and_said_to_be_late(
    books: Books, sender: Sender, place: Place, time: Time, orders: Orders, reason: str
) -> None:
    place.agency.orders = orders
    books.issue(2)
    (failed,) = sender.send()
    assert failed.reason
    assert reason in failed.reason
    place.agency.orders = Orders()
    time.passes(seconds=60)

    (sent,) = sender.send()

    assert sent.late
    assert place.agency.incidents == 1
    assert place.agency.queries == 0
    check_all_is_well(books, place)


def test_pauses_grow_but_never_over_an_hour(
    books: Books, sender: Sender, place: Place, time: Time
) -> None:
    place.agency.orders = Orders(too_many=True)
    books.issue(AT_ONCE)
    tries = []
    for minute in range(120):
        tries += [minute] * len(sender.send())
        time.passes(minutes=1)

    assert tries[:7] == [0, 1, 3, 7, 15, 30, 45]
    assert max(after - before for before, after in pairwise(tries)) == 15


def test_an_outage_of_days_is_survived(
    books: Books, sender: Sender, place: Place, time: Time
) -> None:
    place.agency.orders = Orders(too_many=True)
    books.issue()
    for _ in range(300):
        sender.send()
        time.passes(minutes=15)
    place.agency.orders = Orders()

    sender.send()

    assert place.agency.messages == 1
    check_all_is_well(books, place)


def test_what_waited_too_long_is_said_to_be_late(
    books: Books, sender: Sender, place: Place, time: Time
) -> None:
    books.issue()
    time.passes(minutes=20)  # nobody sent
    books.issue()

    (sent,) = sender.send()

    assert sent.late
    assert set(books.states.values()) == {ACCEPTED}


@pytest.mark.parametrize("lost", [False, True])
def test_a_sender_that_is_killed_loses_nothing(
    books: Books, sender: Sender, place: Place, time: Time, lost: bool
) -> None:
    place.agency.orders = Orders(reject={"F2026-000003": 1110})
    call = 0
    while True:
        call += 1
        books.issue()
        if lost:
            place.agency.orders.lose_answers = call % 2 == 0
        if not sender.killed(call):
            break
        time.passes(minutes=6)
    place.agency.orders.lose_answers = False
    time.passes(minutes=20)

    sender.send()

    assert call > 5
    assert len(books.records) == call
    check_all_is_well(books, place)


def test_a_sender_that_is_killed_once_all_is_answered_leaves_nothing_to_do(
    books: Books, sender: Sender, place: Place, time: Time
) -> None:
    books.issue(2)
    for call in range(1, 20):
        if books.states[2] is ACCEPTED:
            break
        sender.killed(call)
        time.passes(minutes=6)

    sender.send()

    check_all_is_well(books, place)


def test_only_one_of_two_senders_sends(
    books: Books, sender: Sender, place: Place, time: Time
) -> None:
    books.issue(3)
    other = Sender(books, place)
    sender.meanwhile = other.send

    sender.send()

    assert place.agency.messages == 1
    check_all_is_well(books, place)


def test_two_senders_that_start_at_once_are_one(
    books: Books, place: Place, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.issue(3)
    first, second = Sender(books, place), Sender(books, place)
    before = books.sending
    first.send()
    books.time.passes(seconds=60)
    monkeypatch.setattr(books, "get", lambda _: before)  # as the second one read it

    assert second.send() == []
    assert place.agency.messages == 1


def test_two_senders_of_which_one_was_given_up_lose_no_answer(
    books: Books, sender: Sender, place: Place, time: Time
) -> None:
    books.issue(3)
    other = Sender(books, place)

    def take_over() -> None:
        time.passes(minutes=6)
        other.send()

    sender.meanwhile = take_over

    with pytest.raises(Exception, match="Too many writes"):
        sender.send()  # late: its answers are known already

    assert place.agency.messages == 2
    assert set(books.states.values()) == {ACCEPTED}
    assert len(place.agency.kept) == 3
    assert not place.agency.breaks


def test_none_goes_before_one_that_the_list_does_not_have_yet(
    books: Books, sender: Sender, place: Place, time: Time
) -> None:
    books.issue(4)
    books.missing = {3}
    (first,) = sender.send()
    time.passes(seconds=60)
    sender.send()
    assert [each.record.position for each in first.records] == [1, 2]
    assert place.agency.messages == 1
    books.missing = set()

    sender.send()

    check_all_is_well(books, place)


def test_what_the_list_still_has_is_not_sent_again(
    books: Books, sender: Sender, place: Place, time: Time
) -> None:
    books.issue(2)
    sender.send()
    books.states[2] = PENDING  # as an index that lags has it
    books.issue()
    time.passes(seconds=60)

    (sent,) = sender.send()

    assert [each.record.position for each in sent.records] == [3]
    books.issue()
    time.passes(minutes=15)  # no index lags for so long: it has no answer

    (sent,) = sender.send()

    assert [each.record.position for each in sent.records] == [2, 4]
    check_all_is_well(books, place)


def test_a_record_that_the_answer_left_out_is_sent_again(
    books: Books, sender: Sender, place: Place, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.issue(3)
    with monkeypatch.context() as patched:
        patched.setattr("local.tax_agency._line", lambda *_: "")
        (silent,) = sender.send()
    assert (silent.verdicts, silent.reason) == ([], None)
    time.passes(seconds=60)

    sender.send()

    check_all_is_well(books, place)


def test_nothing_begins_that_may_not_end_in_time(books: Books, sender: Sender) -> None:
    books.issue()
    deadline.start(100_000)

    assert sender.send() == []
    deadline.clear()


def test_says_when_records_wait_for_an_hour(
    books: Books, sender: Sender, place: Place, time: Time
) -> None:
    place.agency.orders = Orders(too_many=True)
    books.issue()
    overdue = []
    for minutes in (59, 2):
        time.passes(minutes=minutes)
        overdue += [each.is_overdue(time.now) for each in sender.send()]

    assert overdue == [False, True]


# ---------------------------------------------------------------- many


def test_ten_thousand_records_of_which_one_in_a_hundred_is_rejected(
    books: Books, sender: Sender, place: Place, time: Time
) -> None:
    books.issue(10_000)
    bad = {f"F2026-{number:06}": 1239 for number in range(50, 10_001, 100)}
    place.agency.orders = Orders(reject=bad)
    for _ in range(12):
        place.agency.orders.lose_answers = place.agency.messages == 4
        sender.send()
        time.passes(seconds=90)

    assert Counter(each.value for each in books.states.values()) == {
        "accepted": 9_900,
        "rejected": 100,
    }
    assert [number for number, state in books.states.items() if state is REJECTED] == list(
        range(50, 10_001, 100)
    )
    check_all_is_well(books, place)


def test_a_thousand_records_become_a_message_within_a_second(books: Books) -> None:
    books.issue(AT_ONCE)

    began = perf_counter()
    written = (tostring(record_element(each), encoding="unicode") for each in books.records)
    message = submission(LEGAL_NAME, TAX_ID, written, late=False)

    assert perf_counter() - began < 1
    assert message.count(b"<sum1:RegistroAlta>") == AT_ONCE

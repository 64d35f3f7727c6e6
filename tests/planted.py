"""
Plants a bug for each invariant, and sees that its test catches it: `make planted`.

A test that cannot fail shows nothing. Each bug goes into a copy of the sources, one at a time, and
the test that holds the invariant has to go red there. docs/reliability.md tells the rest.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from local import emulator
from local.stack import ROOT

BILLING = "layers/billing/billing"
SOURCES = ("cli", "events", "functions", "layers", "local", "tests", "tools")


@dataclass(frozen=True)
class Bug:
    """A change of one place in the sources, and the test that has to notice."""

    invariant: int
    what: str
    file: str
    old: str
    new: str
    test: str


BUGS = [
    Bug(
        1, "refunds are not held against what is left of the movement",
        f"{BILLING}/persistence/refunds.py",
        '                "refunded": movement.amount.gross.minor - gross,\n'
        '                "refunded_net": movement.amount.net.minor - net,\n', "",
        "tests/integration/test_refund_races.py::test_gives_back_exactly_what_fits",
    ),
    Bug(
        1, "a movement is deleted under a refund of it",
        f"{BILLING}/persistence/movements.py",
        ', expected={"refunded": 0, "refunded_net": 0}', "",
        "tests/integration/test_movement_deletion.py"
        "::test_stays_where_it_is_refunded_just_after_it_was_read",
    ),
    Bug(
        2, "a transaction that met another is taken for done",
        f"{BILLING}/persistence/dynamodb.py",
        "            raise _TryAgainError from error\n\n    deadline.retry(commit",
        "            return\n\n    deadline.retry(commit",
        "tests/integration/test_refund_faults.py"
        "::test_tries_a_conflict_again_with_the_same_token_and_pauses",
    ),
    Bug(
        3, "an invoice does not take its external id",
        f"{BILLING}/persistence/issuing.py",
        "writes.append(put_external(self._table, key, thing_id, external, account_id))", "pass",
        "tests/integration/test_invoices.py::test_issues_an_invoice_once_for_one_external_id",
    ),
    Bug(
        3, "a deleted movement passes for one that is there",
        f"{BILLING}/services/record_movement.py",
        "if taken and taken.withdrawn:", "if taken is None:",
        "tests/integration/test_movement_deletion.py"
        "::test_it_is_deleted_once_and_its_external_id_stays_used",
    ),
    Bug(
        4, "a series counts two for one document",
        f"{BILLING}/domain/issuing.py",
        "sequence=end.sequence + 1", "sequence=end.sequence + 2",
        "tests/integration/test_invoices.py"
        "::test_numbers_have_no_gap_and_the_chain_verifies_under_contention",
    ),
    Bug(
        5, "a PDF is stored over the one that is there",
        f"{BILLING}/adapters/documents.py",
        '                IfNoneMatch="*",\n', "",
        "tests/integration/test_documents.py::test_what_was_stored_but_not_recorded_is_kept",
    ),
    Bug(
        5, "a document does not note the hash before it",
        f"{BILLING}/persistence/issuing.py",
        '"previous_hash": {"S": issued.previous_hash}', '"previous_hash": {"S": ""}',
        "tests/integration/test_audit.py::test_finds_nothing_wrong_with_what_was_issued",
    ),
    Bug(
        5, "a document is printed without the logo it was issued with",
        f"{BILLING}/services/provide_pdf.py",
        "store.get_logo(key.org_id, logo) if logo else None", "None",
        "tests/integration/test_logo.py::test_a_document_keeps_the_logo_it_was_issued_with",
    ),
    Bug(
        6, "amounts are rounded half to even",
        f"{BILLING}/domain/money.py",
        "EXACT).to_integral_value(ROUND_HALF_UP)", "EXACT).to_integral_value()",
        "tests/unit/test_money.py::test_rounds_half_up_away_from_zero",
    ),
    Bug(
        7, "the org of a path is not compared with the token's",
        f"{BILLING}/api/access.py",
        'if parameters.get("orgId", self.org_id) != self.org_id:', "if not parameters:",
        "tests/integration/test_access.py",
    ),
    Bug(
        7, "a refund is found under another account",
        f"{BILLING}/api/access.py",
        "        if not self.reach.includes(account_id):\n            raise NotFoundError\n", "",
        "tests/integration/test_foreign_ids.py::test_an_id_of_another_is_as_one_that_nobody_has",
    ),
    Bug(
        7, "a reused external id names what another account has",
        f"{BILLING}/api/app.py",
        "if error.existing and not _caller.get().may_find(error.existing.account_id):",
        "if error.existing is None:",
        "tests/integration/test_reused_external_ids.py"
        "::test_it_names_what_another_account_has_only_to_who_reaches_that",
    ),
    Bug(
        7, "a subscription that is nobody's is anybody's",
        f"{BILLING}/domain/movements.py",
        "reach.is_all if self.owner_id is None", "True if self.owner_id is None",
        "tests/integration/test_subscriptions.py"
        "::test_is_not_there_for_who_does_not_reach_its_account",
    ),
    Bug(
        8, "a link works for a day",
        f"{BILLING}/adapters/documents.py",
        "LINK_SECONDS = 15 * 60", "LINK_SECONDS = 24 * 3600",
        "tests/integration/test_invoices.py::test_gives_the_pdf_and_a_link_to_it",
    ),
    Bug(
        9, "a batch that comes twice is counted twice",
        f"{BILLING}/persistence/billing.py",
        '            expected={"done": 0},\n', "",
        "tests/integration/test_billing_exactly_once.py"
        "::test_messages_that_come_twice_late_and_in_any_order",
    ),
    Bug(
        9, "PDFs that all fail are an error, and not failures to be tried again",
        "functions/documents/app.py",
        "event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False",
        "event_type=EventType.DynamoDBStreams",
        "tests/integration/test_deliveries.py::test_all_ends_the_same",
    ),
    Bug(
        9, "two functions that get a mail at once both send it",
        f"{BILLING}/domain/mails.py",
        "if self.leased_until and now < self.leased_until:", "if False:",
        "tests/integration/test_mails.py::test_two_functions_at_once_send_one",
    ),
    Bug(
        9, "a mail that was sent is sent again",
        f"{BILLING}/services/send_invoice.py",
        "    if mail.is_done:\n        return\n", "",
        "tests/integration/test_mails.py"
        "::test_it_goes_out_once_however_often_the_stream_and_the_queue_say_so",
    ),
    Bug(
        9, "a fiscal record whose answer was lost is taken for rejected",
        f"{BILLING}/services/send_fiscal_records.py",
        "return kept.answer if kept.huella == record.huella else said", "return said",
        "tests/integration/test_fiscal_sending.py::test_an_answer_that_was_lost_is_asked_for",
    ),
    Bug(
        9, "fiscal records are sent before one that the index does not have yet",
        f"{BILLING}/domain/fiscal_sending.py",
        "            if position > following:\n                break\n", "",
        "tests/integration/test_fiscal_sending.py"
        "::test_none_goes_before_one_that_the_list_does_not_have_yet",
    ),
    Bug(
        9, "a fiscal record that an answer leaves out is taken for answered",
        f"{BILLING}/services/send_fiscal_records.py",
        "is_complete = len(verdicts) == len(batch)", "is_complete = True",
        "tests/integration/test_fiscal_sending.py"
        "::test_a_record_that_the_answer_left_out_is_sent_again",
    ),
    Bug(
        10, "calls begin that cannot end in time",
        f"{BILLING}/deadline.py",
        "    if seconds_left() < seconds:\n        raise UpstreamTimeoutError\n", "",
        "tests/integration/test_faults.py::test_begins_no_call_that_cannot_end_in_time",
    ),
    Bug(
        10, "a call that drips goes on for ever",
        f"{BILLING}/deadline.py",
        "    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))\n", "",
        "tests/integration/test_deadlines.py"
        "::test_a_function_ends_in_our_words_before_lambda_ends_it",
    ),
    Bug(
        11, "a refund is written step by step",
        f"{BILLING}/persistence/refunds.py",
        "            *self._copy(refund),\n        ]\n        try:\n            transact(writes)\n",
        "            *self._copy(refund),\n        ]\n        try:\n"
        "            for write in writes:\n                transact([write])\n",
        "tests/integration/test_refund_kills.py::test_is_done_wholly_or_not_at_all",
    ),
    Bug(
        4, "a series can be that of another lane",
        f"{BILLING}/persistence/numbering.py",
        "for lane in lanes_up_to(org.most_lanes)", "for lane in lanes_up_to(1)",
        "tests/integration/test_lanes.py"
        "::test_a_series_of_the_one_lane_is_none_of_another_lane_later",
    ),
    Bug(
        4, "the clock of a sandbox looks at one lane only",
        f"{BILLING}/persistence/sandbox_clocks.py",
        "for letter in LETTERS}", "for letter in LETTERS[:1]}",
        "tests/integration/test_lanes.py"
        "::test_a_sandbox_clock_stays_behind_no_document_of_any_lane",
    ),
    Bug(
        5, "a run issues in the lanes that its org has by then, with the group of its own",
        f"{BILLING}/persistence/billing.py",
        "originals, lanes=batch.lanes)", "originals)",
        "tests/integration/test_lanes.py::test_a_run_keeps_the_lanes_that_it_began_with",
    ),
    Bug(
        9, "a lane is counted over what was counted meanwhile",
        f"{BILLING}/persistence/billing.py",
        'values, expected=unchanged)]', "values)]",
        "tests/integration/test_lanes.py"
        "::test_batches_of_a_lane_that_end_at_once_are_all_counted",
    ),
    Bug(
        11, "a run follows what it wrote last, though another document was issued since",
        f"{BILLING}/persistence/billing.py",
        "self._account_ends.pop(each, None)", "self._account_ends.get(each)",
        "tests/integration/test_billing_ahead.py"
        "::test_invoices_that_are_issued_meanwhile_are_followed",
    ),
    Bug(
        12, "a run lists the accounts of its first lane only",
        f"{BILLING}/domain/billing_runs.py",
        "LETTERS[: org.most_lanes]", "LETTERS[:1]",
        "tests/integration/test_lanes.py"
        "::test_a_run_bills_each_account_once_however_lanes_change",
    ),
    Bug(
        12, "a run does not find adjustments",
        f"{BILLING}/persistence/adjustments.py",
        '            put(table, (partition, joined("adjustment", key.id)), item),\n', "",
        "tests/integration/test_adjustments.py::test_a_run_bills_it_behind_the_subscriptions",
    ),
    Bug(
        12, "a movement does not depend on which cycle is open",
        f"{BILLING}/persistence/movements.py",
        "            depend_on_cycle(self._accounts, to, cycle),\n",
        "            *([] if to.cycle else [depend_on_cycle(self._accounts, to, cycle)]),\n",
        "tests/integration/test_billing_exactly_once.py"
        "::test_while_movements_and_refunds_keep_arriving",
    ),
    Bug(
        13, "a refund reserves nothing of the invoice that it will credit",
        f"{BILLING}/services/refund_originals.py",
        "after = original.reserve(line, refund.amount.net, freed)", "after = original",
        "tests/integration/test_refund_reservations.py"
        "::test_what_an_allowance_left_is_all_that_can_be_refunded",
    ),
    Bug(
        13, "a whole credit note takes what is reserved for refunds",
        f"{BILLING}/domain/credit_notes.py",
        "self.credited.get(number, nothing) - self.reserved.get(number, nothing)",
        "self.credited.get(number, nothing)",
        "tests/integration/test_billing_runs.py"
        "::test_a_credit_note_on_request_leaves_what_refunds_reserve",
    ),
    Bug(
        14, "IGIC at zero is written as IGIC",
        f"{BILLING}/domain/tax.py",
        "    if not percentage:", "    if not percentage and kind is not TaxType.IGIC:",
        "tests/documents/test_matrix.py::test_every_case_is_valid_in_every_currency",
    ),
    Bug(
        14, "a price below zero is written as it is",
        f"{BILLING}/einvoice/model.py",
        "price=abs(line.unit_price),", "price=line.unit_price,",
        "tests/documents/test_every_document.py::test_invoices_and_their_credit_notes",
    ),
    Bug(
        14, "what is out of scope stands beside other lines",
        f"{BILLING}/domain/tax.py",
        'apart = "O" if self.category is VatCategory.OUT_OF_SCOPE else ""', 'apart = ""',
        "tests/integration/test_place_of_supply.py::test_what_is_out_of_scope_stands_alone",
    ),
    Bug(
        14, "a credit note of a reverse charge names the buyer as the profile does by then",
        f"{BILLING}/domain/credit_notes.py",
        "buyer=_as_named(invoice, account, org),", "buyer=account,",
        "tests/integration/test_place_of_supply.py"
        "::test_a_profile_that_changes_changes_nothing_of_what_is_credited",
    ),
    Bug(
        14, "a rate may be so small that the rules take it for none",
        f"{BILLING}/dialects/fields.py",
        'if 0 < value < Decimal("0.5"):', 'if 0 < value < Decimal("0.05"):',
        "tests/documents/test_every_document.py::test_what_a_run_bills",
    ),
    Bug(
        8, "a link to a page works when it has expired",
        f"{BILLING}/domain/share_links.py",
        "if self.expires_at <= now:", "if False:",
        "tests/integration/test_share_links.py"
        "::test_an_expired_link_says_so_from_that_instant_on",
    ),
    Bug(
        8, "a link to a file outlives the link to its page",
        "functions/shared_page/app.py",
        "max(1, min(LINK_SECONDS, int((link.expires_at - clock.now()).total_seconds())))",
        "LINK_SECONDS",
        "tests/integration/test_shared_page.py"
        "::test_no_link_to_a_file_outlives_the_link_to_its_page",
    ),
    Bug(
        15, "a cycle that was billed tells nothing of its refunds",
        f"{BILLING}/persistence/item_events.py",
        '    ("account", "cycle"): _cycle,\n', "",
        "tests/integration/test_events.py::test_every_change_has_its_event_once",
    ),
    Bug(
        15, "an event leaves out a position of the feed",
        f"{BILLING}/persistence/events.py",
        "enumerate(new, last + 1)", "enumerate(new, last + 2)",
        "tests/integration/test_events.py::test_many_at_once_have_positions_without_a_gap",
    ),
    Bug(
        15, "a reader goes on behind a position that is missing",
        f"{BILLING}/services/read_events.py",
        "        if event.position != position:\n            return\n", "",
        "tests/integration/test_events.py::test_a_gap_is_read_again",
    ),
    Bug(
        16, "a link to a page outlives the token that makes it",
        f"{BILLING}/domain/share_links.py",
        "if expires_at and latest and expires_at > latest:", "if False:",
        "tests/integration/test_share_links.py::test_no_link_outlives_the_token_that_makes_it",
    ),
    Bug(
        16, "those that a token comes from are not read",
        f"{BILLING}/api/authentication.py",
        "if grant.ancestors:", "if grant.ancestors and False:",
        "tests/integration/test_tokens.py::test_a_token_made_by_another_is_revoked_with_it",
    ),
    Bug(
        16, "a token is handed out on what is kept of another",
        f"{BILLING}/api/authentication.py",
        "None if anew else _find_kept", "_find_kept",
        "tests/integration/test_tokens.py"
        "::test_a_revoked_token_hands_out_and_takes_away_no_access",
    ),
    Bug(
        14, "a letter is accepted where its mark is in another font",
        f"{BILLING}/domain/letters.py",
        "any(all(bisect_right(font, code) % 2 for code in codes) for font in _fonts())",
        "all(any(bisect_right(font, code) % 2 for font in _fonts()) for code in codes)",
        "tests/documents/test_letters.py::test_whatever_is_accepted_can_be_printed",
    ),
    Bug(
        14, "a logo is accepted with fewer pixels than it says",
        f"{BILLING}/domain/logos.py",
        "len(pixels) != sum(rows) or ", "",
        "tests/documents/test_logos.py::test_every_kind_of_png_is_printed",
    ),
    Bug(
        16, "a token that expires is good for as long as it is kept",
        f"{BILLING}/api/authentication.py",
        "    if grant.has_expired(now):", "    if anew and grant.has_expired(now):",
        "tests/integration/test_access.py::test_a_token_expires_while_it_is_kept",
    ),
    Bug(
        16, "a caller is known after the call",
        f"{BILLING}/api/app.py",
        "            _caller.reset(known)\n", "            known.var.get()\n",
        "tests/integration/test_access.py"
        "::test_nothing_is_known_of_a_caller_when_the_call_is_over",
    ),
    Bug(
        16, "a second token is not compared with the first",
        f"{BILLING}/api/authentication.py",
        "if len(set(said)) > 1:", "if not said:",
        "tests/integration/test_access.py"
        "::test_a_token_comes_in_one_header_or_the_other_and_both_must_agree",
    ),
    Bug(
        17, "a profile is given back without its bank",
        f"{BILLING}/dialects/v1/billing_info.py",
        "            bic=account.bic,\n            closed=account.closed,\n",
        "            closed=account.closed,\n",
        "tests/integration/test_put_back.py::test_puts_back_what_get_gave",
    ),
    Bug(
        17, "a profile that is put back has lost its logo",
        f"{BILLING}/services/replace_profile.py",
        "logo=known.logo if known else None", "logo=None",
        "tests/integration/test_logo.py::test_the_profile_keeps_its_logo_and_does_not_show_it",
    ),
    Bug(
        17, "a version that nobody knows is replaced",
        f"{BILLING}/domain/versions.py",
        "    raise PreconditionFailedError", "    return",
        "tests/integration/test_profiles.py::test_honours_if_match",
    ),
    Bug(
        12, "a cycle of more rates than a fiscal record has room for is not divided",
        f"{BILLING}/domain/cycle_invoices.py",
        "if org.is_declared and len(contents.taxes) > MAX_ROWS:", "if False:",
        "tests/integration/test_fiscal_records.py"
        "::test_a_run_divides_what_has_more_rows_of_tax_than_a_record_holds",
    ),
    Bug(
        14, "exports without IPSI are declared by a key that IPSI has not",
        f"{BILLING}/domain/verifactu.py",
        'is_export = cause in ("E2", "E3") and there != _IPSI', 'is_export = cause in ("E2", "E3")',
        "tests/documents/test_fiscal_records.py"
        "::test_every_reason_is_valid_or_refused_when_it_comes_in",
    ),
    Bug(
        18, "a fiscal record follows the one that was read, not the one made just before it",
        f"{BILLING}/domain/issuing.py",
        "        self.ends.fiscal = record.end\n", "",
        "tests/unit/test_verifactu.py"
        "::test_any_chain_is_whole_and_has_the_fingerprints_of_another_program",
    ),
    Bug(
        18, "a huella leaves out the one before it",
        f"{BILLING}/domain/verifactu.py",
        '"Huella": previous.huella if previous else ""', '"Huella": ""',
        "tests/unit/test_verifactu.py"
        "::test_any_chain_is_whole_and_has_the_fingerprints_of_another_program",
    ),
    Bug(
        18, "a document does not depend on which fiscal record is the last",
        f"{BILLING}/persistence/issuing.py",
        'expected["fiscal_position"] = journal.read.fiscal.position or None', "pass",
        "tests/integration/test_fiscal_races.py::test_a_correction_comes_between_an_invoice",
    ),
    Bug(
        18, "a correction does not depend on which fiscal record is the last",
        f"{BILLING}/persistence/fiscal_records.py",
        '                expected={"fiscal_position": end.position},\n', "",
        "tests/integration/test_fiscal_races.py::test_an_invoice_comes_between_a_correction",
    ),
    Bug(
        18, "a document is issued without a record while its org switches on",
        f"{BILLING}/persistence/issuing.py",
        '            "fiscal_regime": org.fiscal_regime.value if org.is_declared else None,\n', "",
        "tests/integration/test_fiscal_records.py"
        "::test_a_document_that_is_being_issued_while_it_is_switched_on_starts_again",
    ),
    Bug(
        18, "two senders send the same records at once",
        f"{BILLING}/domain/fiscal_sending.py",
        "if self.busy_until is not None and now < self.busy_until:", "if False:",
        "tests/integration/test_fiscal_sending.py::test_only_one_of_two_senders_sends",
    ),
    Bug(
        18, "an answer is written over the one that was written meanwhile",
        f"{BILLING}/persistence/fiscal_records.py",
        '            expected={"fiscal_state": RecordState.PENDING.value},\n', "",
        "tests/integration/test_fiscal_records.py"
        "::test_answers_are_kept_and_the_first_one_stays",
    ),
    Bug(
        18, "an org that has issued meanwhile is taken for one that has nothing to send",
        f"{BILLING}/persistence/fiscal_senders.py",
        '                        expected={"fiscal_position": position},\n', "",
        "tests/integration/test_fiscal_records.py"
        "::test_an_org_that_issues_meanwhile_is_still_one_to_send_for",
    ),
    Bug(
        18, "the audit passes over a fiscal record that is missing",
        f"{BILLING}/services/audit.py",
        "if record.position > last + 1:", "if False:",
        "tests/integration/test_audit.py::test_finds_a_missing_fiscal_record",
    ),
]  # fmt: skip


def planted(bug: Bug, folder: Path) -> None:
    """Plant a bug in a copy of the sources."""
    file = folder / bug.file
    text = file.read_text()
    if text.count(bug.old) != 1:
        raise SystemExit(f"{bug.file} has changed: mend the bug {bug.what!r} in {__file__}")
    file.write_text(text.replace(bug.old, bug.new))


def copy_sources(folder: Path) -> None:
    """Copy what the tests need; the emulator's environment is linked to."""
    for source in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / source, folder / source, ignore=ignored)
    for file in ("pyproject.toml", "template.yaml"):
        shutil.copy(ROOT / file, folder / file)
    environment = folder / emulator.ENVIRONMENT.relative_to(ROOT)
    environment.parent.mkdir()
    environment.symlink_to(emulator.ENVIRONMENT)


def failure(folder: Path, *tests: str) -> str:
    """Run tests in a copy; return what the first that failed says, nothing where all passed."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", *tests]
    run = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode not in (0, 1) or " error" in run.stdout.splitlines()[-1]:
        raise SystemExit(run.stdout + run.stderr)
    return run.stdout if run.returncode else ""


def is_caught(bug: Bug) -> bool:
    """Return whether the test fails in a copy that has the bug."""
    with tempfile.TemporaryDirectory() as name:
        copy_sources(Path(name))
        planted(bug, Path(name))
        return bool(failure(Path(name), bug.test))


def check_sound() -> None:
    """Check that the tests pass where no bug is planted: else they would catch anything."""
    with tempfile.TemporaryDirectory() as name:
        copy_sources(Path(name))
        if said := failure(Path(name), *sorted({bug.test for bug in BUGS})):
            raise SystemExit(f"{said}\nA test fails in a copy without a bug.")


def main() -> int:
    """Plant one bug after the other; fail where one is not caught."""
    check_sound()
    missed = 0
    for bug in BUGS:
        began = time.monotonic()
        print(f"  {bug.invariant:2}  {bug.what:60}", end=" ", flush=True)
        caught = is_caught(bug)
        missed += not caught
        print(f"{'caught' if caught else 'MISSED'} {time.monotonic() - began:6.1f} s", flush=True)
    print(f"{len(BUGS) - missed} of {len(BUGS)} planted bugs were caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

"""
Credit notes: what is given back of an issued invoice, and never more than it has.

What was credited is kept as a net amount of each line, and so is what is reserved: the refunds
that were accepted and that a billing run will credit. Tax is computed on all that was ever credited
of a rate, less what was given back before: parts never come to more than the whole, and all of them
to exactly the whole.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from billing.domain.errors import (
    CreditExceedsInvoiceError,
    ErasedError,
    InvalidRequestError,
    InvoiceNotCreditableError,
    RefundNotCreditableError,
)
from billing.domain.exchange_rates import Conversion
from billing.domain.invoices import (
    CorrectedInvoice,
    Correction,
    Draft,
    InvoiceKind,
    InvoiceSummary,
    IssuedInvoice,
    Line,
    Settlement,
    gross_of,
)
from billing.domain.money import Money
from billing.domain.parties import Account, Org
from billing.domain.periods import BillingPeriod
from billing.domain.tax import TaxTotal, tax_totals
from billing.domain.verifactu import MAX_ROWS, day_of_operation, is_named_as_declared, rows_of

MAX_CORRECTIONS = 100
"""Credit notes that an invoice names; the text of their numbers would else outgrow its item."""

type Nets = Mapping[int, Money]
"""Net amounts of lines, by their numbers: 1, 2, 3 …"""


@dataclass(frozen=True, slots=True)
class LineCredit:
    """The amount to credit of a line, in major units; lines count from 1."""

    line: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Creditable:
    """
    An issued invoice, with what was credited of its lines and what is reserved for refunds.

    `version` counts the changes of both. `corrections` are the newest credit notes of it.
    """

    invoice: IssuedInvoice
    summary: InvoiceSummary
    credited: Nets
    reserved: Nets
    version: int
    corrections: tuple[Correction, ...] = ()

    @property
    def left(self) -> Money:
        """Return what is neither credited nor reserved, with tax."""
        return self.summary.gross - self._gross_in_all(_plus(self.credited, self.reserved))

    def left_of(self, number: int) -> Money:
        """
        Return the net amount of a line that is neither credited nor reserved.

        Other lines about the same movement count too: what the invoice itself gave back of it
        (in a line below zero) cannot be given back once more.
        """
        own = self._rest(number)
        movement_id = self.invoice.lines[number - 1].movement_id
        if movement_id is None:
            return own
        of_movement = (
            self._rest(each)
            for each, line in enumerate(self.invoice.lines, 1)
            if line.movement_id == movement_id
        )
        return min(own, sum(of_movement, Money.zero(own.currency)))

    # ---------------------------------------------------------------- reserve for refunds

    def refundable_net(self, number: int) -> Money:
        """
        Return the largest net amount of a line that a refund can still reserve.

        It is zero for an erased invoice: a credit note would have no texts; and where a fiscal
        record of the credit note would have no room for one more rate of tax.
        """
        if self.invoice.erased or not self._has_row_for(number):
            return Money.zero(self.invoice.currency)
        taken = _plus(self.credited, self.reserved)
        left_in_all = self.summary.net - sum(taken.values(), Money.zero(self.invoice.currency))
        most = min(self.left_of(number), left_in_all).minor

        def gross_with(minor: int) -> int:
            more = {number: Money(minor, self.invoice.currency)}
            return self._gross_in_all(_plus(taken, more)).minor

        if most > 0 and gross_with(most) > self.summary.gross.minor:
            most = bisect_right(range(most + 1), self.summary.gross.minor, key=gross_with) - 1
        return Money(max(most, 0), self.invoice.currency)

    def reserve(self, number: int, net: Money, freed: Money | None = None) -> "Creditable":
        """
        Reserve a net amount of a line for a refund.

        What the same refund had reserved and freed before it can always have again. Raise
        RefundNotCreditableError where less is left of the line or of the whole invoice, or there
        are too many rates of tax for one credit note.
        """
        if not freed and not self._has_row_for(number):
            raise RefundNotCreditableError(
                f"The refunds of invoice {self.invoice.number} that wait for a billing run have "
                f"{MAX_ROWS} rates of tax, and its credit note cannot have more: send this one "
                "after the next billing run."
            )
        left = max(self.refundable_net(number), freed or Money.zero(net.currency))
        if left < net:
            raise RefundNotCreditableError(
                f"The refund without tax ({net}) exceeds the amount of the movement that can still "
                f"be credited on invoice {self.invoice.number} ({left})."
            )
        return replace(self, reserved=_plus(self.reserved, {number: net}))

    def release(self, number: int, net: Money) -> "Creditable":
        """Release what was reserved for a refund."""
        return replace(self, reserved=_plus(self.reserved, {number: -net}))

    # ---------------------------------------------------------------- credit

    def line_of(self, movement_id: str) -> int | None:
        """Find the line that charges a movement."""
        for number, line in enumerate(self.invoice.lines, 1):
            if line.movement_id == movement_id and line.net.minor >= 0:
                return number
        return None

    def all_left(self) -> Nets:
        """
        Return all of each line that is neither credited nor reserved.

        Raise CreditExceedsInvoiceError where that is nothing, ErasedError where the invoice was
        erased.
        """
        self._check_creditable()
        left = {number: self._rest(number) for number in range(1, len(self.invoice.lines) + 1)}
        nets = {number: amount for number, amount in left.items() if amount}
        if self.left.minor <= 0 or self.gross_of(nets).minor <= 0:
            raise CreditExceedsInvoiceError(
                "The whole invoice is already credited or reserved for refunds."
            )
        return nets

    def lines_left(self, asked: Sequence[LineCredit]) -> Nets:
        """
        Return the net amounts of some lines that are to be credited.

        Raise CreditExceedsInvoiceError where less is left of a line or of the whole,
        InvalidRequestError where there is no such line, and ErasedError as above.
        """
        self._check_creditable()
        nets: dict[int, Money] = {}
        for index, each in enumerate(asked):
            if each.line > len(self.invoice.lines):
                raise InvalidRequestError.of(
                    f"lines.{index}.line", f"the invoice has {len(self.invoice.lines)} lines"
                )
            field = f"lines.{index}.amount_without_taxes"
            amount = Money.exactly(each.amount, self.invoice.currency, field)
            left = max(Money.zero(amount.currency), self.left_of(each.line))
            if left < amount:
                raise CreditExceedsInvoiceError(
                    f"The credit of line {each.line} ({amount}) exceeds the amount that can still "
                    f"be credited ({left})."
                )
            nets[each.line] = amount
        taken = _plus(_plus(self.credited, self.reserved), nets)
        net = sum(taken.values(), Money.zero(self.invoice.currency))
        if self.summary.gross < self._gross_in_all(taken) or self.summary.net < net:
            raise CreditExceedsInvoiceError(
                f"The credit note ({self.gross_of(nets)}) exceeds the amount of the invoice that "
                f"can still be credited ({self.left})."
            )
        return nets

    def gross_of(self, nets: Nets) -> Money:
        """Compute the gross of net amounts, if they are credited next."""
        return gross_of(self.taxes_of(nets), self.invoice.currency)

    def taxes_of(self, nets: Nets) -> tuple[TaxTotal, ...]:
        """Compute the tax of net amounts, if they are credited next."""
        given_back = {each.tax: each.amount for each in self._tax_totals(self.credited)}
        in_all = {each.tax: each.amount for each in self._tax_totals(_plus(self.credited, nets))}
        nothing = Money.zero(self.invoice.currency)
        return tuple(
            TaxTotal(each.tax, each.net, in_all[each.tax] - given_back.get(each.tax, nothing))
            for each in self._tax_totals(nets)
        )

    def conversion_of(self, nets: Nets) -> Conversion | None:
        """Convert the tax of net amounts at the original's rate, if they are credited next."""
        conversion = self.invoice.conversion
        if conversion is None:
            return None
        before = conversion.of(self._tax_in_all(self.credited))
        after = conversion.of(self._tax_in_all(_plus(self.credited, nets)))
        return replace(conversion, tax=before - after)

    def _tax_in_all(self, nets: Nets) -> Money:
        totals = self._tax_totals(nets)
        return sum((each.amount for each in totals), Money.zero(self.invoice.currency))

    def _tax_totals(self, nets: Nets) -> tuple[TaxTotal, ...]:
        lines = self.invoice.lines
        return tax_totals((lines[number - 1].tax, net) for number, net in nets.items())

    def _gross_in_all(self, nets: Nets) -> Money:
        return gross_of(self._tax_totals(nets), self.invoice.currency)

    def _has_row_for(self, number: int) -> bool:
        """Return whether a line's tax fits with all that is reserved, for a seller in Spain."""
        seller, lines = self.invoice.seller, self.invoice.lines
        taxes = {lines[each - 1].tax for each in (*self.reserved, number)}
        is_in_spain = seller.address.country == "ES"
        return not is_in_spain or rows_of(taxes, seller, self.invoice.buyer) <= MAX_ROWS

    def _rest(self, number: int) -> Money:
        net = self.invoice.lines[number - 1].net
        nothing = Money.zero(net.currency)
        return net - self.credited.get(number, nothing) - self.reserved.get(number, nothing)

    def _check_creditable(self) -> None:
        if self.summary.is_credit:
            raise InvoiceNotCreditableError
        if self.invoice.erased:
            raise ErasedError


@dataclass(frozen=True, slots=True)
class CreditNote:
    """
    A credit note to be issued, and the net amounts that it credits of the original's lines.

    With `is_reserved` these are what was reserved for refunds.
    """

    original: Creditable
    nets: Nets
    draft: Draft
    is_reserved: bool

    @classmethod
    def of(
        cls,
        original: Creditable,
        nets: Nets,
        org: Org,
        account: Account,
        description: str,
        *,
        cycle: BillingPeriod | None = None,
        lines: Iterable[Line] = (),
        is_reserved: bool = False,
    ) -> "CreditNote":
        """
        Create a credit note; the amounts that it credits are negated.

        Its lines are those of the original, unless other texts are given, and so is its cycle. The
        buyer has the name and the tax id that the original gives, and finds its reference on it.
        What was sold by way of the One Stop Shop is credited there.
        """
        invoice = original.invoice
        if cycle is None:
            account = replace(account, time_zone=invoice.buyer.time_zone)
        taxes = (replace(t, net=-t.net, amount=-t.amount) for t in original.taxes_of(nets))
        draft = Draft(
            kind=InvoiceKind.CREDIT_NOTE,
            seller=replace(org, one_stop_shop=invoice.seller.one_stop_shop),
            buyer=_as_named(invoice, account, org),
            currency=invoice.currency,
            description=description,
            cycle=cycle or invoice.cycle,
            lines=tuple(lines)
            or tuple(_turned(invoice, number, net) for number, net in nets.items()),
            taxes=tuple(taxes),
            corrects=CorrectedInvoice(invoice.key.ordinal, invoice.number, invoice.issue_date),
            conversion=original.conversion_of(nets),
            original_day=day_of_operation(invoice),
        )
        return cls(original, nets, draft, is_reserved)

    @property
    def credited(self) -> Nets:
        """Return what is credited of each line of the original after it."""
        return _plus(self.original.credited, self.nets)

    @property
    def reserved(self) -> Nets:
        """Return what is reserved of each line of the original after it."""
        if not self.is_reserved:
            return self.original.reserved
        return _plus(self.original.reserved, {number: -net for number, net in self.nets.items()})

    def corrected(self, issued: IssuedInvoice) -> Creditable:
        """Return what is left of the original after it was issued."""
        correction = Correction(issued.key.ordinal, issued.number)
        return replace(
            self.original,
            credited=self.credited,
            reserved=self.reserved,
            corrections=(*self.original.corrections, correction)[-MAX_CORRECTIONS:],
        )

    @property
    def settlement(self) -> Settlement:
        """Return the settlement of the original after it."""
        return self.original.summary.settlement.plus_credit(-self.draft.gross)


def _as_named(original: IssuedInvoice, account: Account, org: Org) -> Account:
    """
    Return the account as an original names its buyer; as it is today, where that was erased.

    A tax id belongs to a name and a country: where the account has moved to another one since,
    the address is that of the original, too. One that cannot be declared gives way to today's, and
    so does the name, if the country is the same.
    """
    if original.erased:
        return account
    buyer = original.buyer
    named = replace(account, buyer_reference=buyer.buyer_reference)
    is_corrected = account.tax_id is not None and account.country == buyer.country
    if org.is_declared and is_corrected and not is_named_as_declared(original):
        return named
    named = replace(named, name=buyer.name, company_name=buyer.company_name, tax_id=buyer.tax_id)
    if buyer.country == account.country:
        return named
    return replace(named, address=buyer.address, country=buyer.country, state_id=buyer.state_id)


def _turned(invoice: IssuedInvoice, number: int, net: Money) -> Line:
    """
    Return a line of an invoice with its sign reversed; a part of it becomes one amount.

    A line needs a text (BR-25): where that was erased, it is the invoice's number.
    """
    line = invoice.lines[number - 1]
    line = replace(line, description=line.description or invoice.number)
    if net == line.net:
        return replace(
            line, unit_price=-line.unit_price, setup_costs=-line.setup_costs, net=-line.net
        )
    return replace(
        line,
        quantity=Decimal(1),
        unit_price=-net.major,
        setup_costs=Money.zero(net.currency),
        net=-net,
    )


def _plus(some: Nets, more: Nets) -> Nets:
    """Return the sum of net amounts; lines with a sum of zero are left out."""
    sums = dict(some)
    for number, net in more.items():
        sums[number] = sums[number] + net if number in sums else net
    return {number: net for number, net in sums.items() if net}

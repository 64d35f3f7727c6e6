"""Invoices of every sort, for the tests of documents, their pictures and their benchmark."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from billing.domain.exchange_rates import Conversion
from billing.domain.invoices import (
    CorrectedInvoice,
    InvoiceKey,
    InvoiceKind,
    IssuedInvoice,
    Line,
    LinePeriod,
)
from billing.domain.logos import read_logo
from billing.domain.money import Money
from billing.domain.parties import Account, Address, DeliveryMode, Org
from billing.domain.periods import BillingPeriod
from billing.domain.tax import NO_TAX, Tax, TaxType, VatCategory, tax_totals
from billing.domain.tax_rates import NO_OWN_RATES
from billing.domain.vat import Supply

SELLER = Org(
    id="org_1",
    legal_name="Telefonía Clara, S.L.",
    tax_id="B58378431",
    address=Address("Calle de Alcalá 42, 3.º B", "28014", "Madrid", "ES"),
    currency="EUR",
    time_zone="Europe/Madrid",
    payment_term_days=30,
    email="facturas@clara.example",
    phone="+34 910 000 000",
    url="https://clara.example",
    iban="ES9121000418450200051332",
    bic="CAIXESBBXXX",
    invoice_series="F",
    credit_series="R",
)
BUYER = Account(
    id="1001",
    name="Núria Puig i Soler",
    company_name="Forn de Pa Puig, S.A.",
    tax_id="A58818501",
    email="nuria@puig.example",
    address=Address("Carrer de la Marina 19", "08005", "Barcelona", "ES"),
    country="ES",
    state_id=8,
    billing_day=1,
    time_zone="Europe/Madrid",
    delivery_mode=DeliveryMode.EMAIL,
    payment_term_days=30,
    currency=None,
    iban=None,
    bic=None,
    closed=False,
)
GERMAN = replace(
    BUYER,
    id="2002",
    name="Jürgen Größmann",
    company_name="Größmann Maschinenbau GmbH",
    tax_id="DE136695976",
    email="rechnung@groessmann.example",
    address=Address("Königsallee 60", "40212", "Düsseldorf", "DE"),
    country="DE",
    state_id=None,
    time_zone="Europe/Berlin",
)
AMERICAN = replace(
    BUYER,
    id="3003",
    name="Ada Park",
    company_name="Park & Daughters, Inc.",
    tax_id="12-3456789",
    email="ap@park.example",
    address=Address("350 Fifth Avenue", "NY 10118", "New York", "US"),
    country="US",
    state_id=None,
    time_zone="America/New_York",
)
CANARIAN = replace(
    BUYER, address=Address("Calle Triana 1", "35002", "Las Palmas", "ES"), state_id=35
)
CEUTAN = replace(BUYER, address=Address("Calle Real 1", "51001", "Ceuta", "ES"), state_id=51)
JAPANESE = replace(
    AMERICAN,
    id="4004",
    name="Sato Hanako",
    company_name="Sato Trading K.K.",
    tax_id=None,
    email="keiri@sato.example",
    address=Address("1-1 Marunouchi, Chiyoda-ku", "100-0005", "Tokyo", "JP"),
    country="JP",
    time_zone="Asia/Tokyo",
)
KYOTO = replace(
    JAPANESE,
    id="4005",
    name="佐藤 花子",
    company_name="佐藤商事株式会社",
    email="keiri@sato.example",
    address=Address("丸の内一丁目1番1号 辻󠄀ビル", "100-0005", "千代田区", "JP", "JP-13"),
)
SHANGHAI = replace(
    JAPANESE,
    id="4006",
    name="张伟",
    company_name="上海示例贸易有限公司",
    address=Address("南京东路100号", "200001", "上海市黄浦区", "CN"),
    country="CN",
)
TAIPEI = replace(
    JAPANESE,
    id="4007",
    name="陳美玲",
    company_name="範例國際股份有限公司",
    address=Address("信義路五段7號", "110", "臺北市信義區", "TW"),
    country="TW",
)
SEOUL = replace(
    JAPANESE,
    id="4008",
    name="김민준",
    company_name="주식회사 예시상사",
    address=Address("세종대로 110", "04524", "서울특별시 중구", "KR"),
    country="KR",
)
BANGKOK = replace(
    JAPANESE,
    id="4009",
    name="สมชาย ใจดี",
    company_name="บริษัท ตัวอย่างการค้า จำกัด",
    address=Address("ถนนพระรามที่ 1 แขวงปทุมวัน", "10330", "กรุงเทพมหานคร", "TH"),
    country="TH",
)
CAIRO = replace(
    JAPANESE,
    id="4010",
    name="أحمد الأمين",
    company_name="شركة الاتصالات المثالية (Ideal Telecom) ش.م.م ٢٠",
    address=Address("٢٣ شارع التحرير", "11511", "القاهرة", "EG"),
    country="EG",
)
HAIFA = replace(
    JAPANESE,
    id="4011",
    name="נועה כהן",
    company_name="דוגמה טכנולוגיות (2020) בע״מ",
    address=Address("שדרות בן גוריון 12, דירה 4", "3303112", "חיפה", "IL"),
    country="IL",
)
ATHENS = replace(
    JAPANESE,
    id="4012",
    name="Ελένη Παπαδοπούλου",
    company_name="Παράδειγμα Εμπορική Α.Ε.",
    tax_id="EL094259216",
    address=Address("Λεωφόρος Βασιλίσσης Σοφίας 2", "106 74", "Αθήνα", "GR"),
    country="GR",
)
TBILISI = replace(
    JAPANESE,
    id="4013",
    name="ნინო ბერიძე",
    company_name="შპს მაგალითი, Օրինակ ՍՊԸ",
    address=Address("რუსთაველის გამზირი 12", "0108", "თბილისი", "GE"),
    country="GE",
)
LOGO = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 30">
<defs><linearGradient id="sky"><stop stop-color="#0b5394"/>
<stop offset="1" stop-color="#38bdf8"/></linearGradient></defs>
<circle cx="15" cy="15" r="14" fill="url(#sky)"/>
<path d="M8 19a10 10 0 0 1 14 0M11 15a6 6 0 0 1 8 0" fill="none" stroke="#fff" stroke-width="2"/>
<path d="M38 8h34v4H38zM38 18h74v4H38z" fill="#0b5394"/>
</svg>
"""
"""Waves over a horizon, and two strokes in place of letters."""

GERMAN_SELLER = replace(
    SELLER,
    legal_name="Klare Telefonie GmbH",
    tax_id="DE136695976",
    address=Address("Hafenstraße 1", "20457", "Hamburg", "DE"),
    time_zone="Europe/Berlin",
    email="rechnung@klar.example",
    phone="+49 40 0000 000",
    iban="DE89370400440532013000",
    bic="COBADEFFXXX",
)
AUTHORITY = replace(
    GERMAN,
    name="Amt Beispielstadt",
    company_name=None,
    tax_id=None,
    buyer_reference="991-03730-19",
    iban="DE02120300000000202051",
    bic="BYLADEM1001",
)
DUTCH = replace(
    GERMAN,
    id="5005",
    name="Sanne de Vries",
    company_name="De Vries B.V.",
    tax_id="NL004495445B01",
    address=Address("Damrak 1", "1012 LG", "Amsterdam", "NL"),
    country="NL",
    time_zone="Europe/Amsterdam",
)

IVA = Tax(TaxType.IVA, Decimal(21))
IVA_10 = Tax(TaxType.IVA, Decimal(10))
IVA_4 = Tax(TaxType.IVA, Decimal(4))
IGIC = Tax(TaxType.IGIC, Decimal(7))
IPSI = Tax(TaxType.IPSI, Decimal(10))
MWST = Tax(TaxType.VAT, Decimal(19))

FEBRUARY = LinePeriod(date(2026, 2, 1), date(2026, 2, 28))
CYCLE = BillingPeriod(datetime(2026, 1, 31, 23, tzinfo=UTC), datetime(2026, 2, 28, 23, tzinfo=UTC))


def line(
    description: str = "Mobile plan 20 GB",
    quantity: str = "1",
    unit_price: str = "100",
    tax: Tax = IVA,
    setup_costs: str = "0",
    currency: str = "EUR",
    period: LinePeriod | None = FEBRUARY,
    order_id: str | None = None,
    remarks: str | None = None,
) -> Line:
    """Price a line."""
    return Line.priced(
        description,
        Decimal(quantity),
        Decimal(unit_price),
        Money.exactly(Decimal(setup_costs), currency),
        tax,
        period,
        order_id,
        remarks,
    )


def invoice(
    *lines: Line,
    buyer: Account = BUYER,
    seller: Org = SELLER,
    currency: str = "EUR",
    number: str = "F2026-000123",
    description: str = "Servicios de febrero de 2026",
) -> IssuedInvoice:
    """Issue an invoice of the run of 1 March 2026; its taxes are treated by their place."""
    issue_date = date(2026, 3, 1)
    supply = Supply(seller, buyer, NO_OWN_RATES)
    lines = tuple(replace(line, tax=supply.tax(line.tax, issue_date)) for line in lines)
    return IssuedInvoice(
        key=InvoiceKey(seller.id, buyer.id, 7),
        number=number,
        kind=InvoiceKind.INVOICE,
        issued_at=datetime(2026, 3, 1, 4, 5, 6, tzinfo=UTC),
        issue_date=issue_date,
        due_date=date(2026, 3, 31),
        currency=currency,
        description=description,
        seller=seller,
        buyer=buyer,
        cycle=CYCLE,
        lines=lines,
        taxes=tax_totals((line.tax, line.net) for line in lines),
    )


def credited(original: IssuedInvoice) -> IssuedInvoice:
    """Credit an invoice as a whole: the same lines, with the sign turned."""
    lines = tuple(
        replace(
            line,
            unit_price=-line.unit_price,
            setup_costs=-line.setup_costs,
            net=-line.net,
        )
        for line in original.lines
    )
    return replace(
        original,
        conversion=original.conversion
        and replace(original.conversion, tax=-original.conversion.tax),
        number="R2026-000004",
        kind=InvoiceKind.CREDIT_NOTE,
        description=f"Abono de la factura {original.number}",
        lines=lines,
        taxes=tax_totals((line.tax, line.net) for line in lines),
        corrects=CorrectedInvoice(original.key.ordinal, original.number, original.issue_date),
    )


_TWELVE = (
    line("Fibra simétrica 1 Gb/s", "1", "38.90", remarks="Sede central, línea 93 000 00 01"),
    line("Centralita virtual, puesto", "14", "9.95", order_id="PO-7731"),
    line("Tarifa móvil 20 GB", "9", "12.50"),
    line("Tarifa móvil ilimitada", "5", "24.90"),
    line("Datos fuera de tarifa", "1843.25", "0.0125", remarks="MB consumidos en la UE"),
    line("SMS enviados", "312", "0.0399"),
    line("Llamadas a números 902", "47", "0.1217"),
    line("Teléfono de sobremesa SIP", "3", "64.50", setup_costs="25", period=None),
    line("Instalación en tienda de Gràcia", "1", "120", period=None, order_id="PO-7802"),
    line("Guía del administrador, edición impresa", "2", "18.27", tax=IVA_4, period=None),
    line("Comida del día de formación", "6", "11.80", tax=IVA_10, period=None),
    line("Descuento por fidelidad", "1", "-25", remarks="Tercer año de contrato"),
)


def many(count: int) -> IssuedInvoice:
    """Repeat the twelve lines up to a count."""
    return invoice(
        *(
            replace(_TWELVE[n % 12], description=f"{_TWELVE[n % 12].description} ({n + 1})")
            for n in range(count)
        )
    )


HOSTILE = (
    '#panic("x") #read("/etc/passwd") $x^2$ *b* _i_ `c` <label> @ref [a](b) \\ // /* = h\n- i'
    "\x00\x01\x08\x0b\x1b\x7f\x85\u200b\u200d\u202e\u2066\u2028\ufeff\ufffe\uffff\ud800"
    "\U0001f680\U000e0041\ue000 日本語 עברית ﷽ ＡＢＣ a\u0301\u0489 ]]> &amp; <b>'\"</b> %s {0}"
)
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"

ONE_LINE = invoice(line("Tarifa móvil 20 GB", "1", "12.50"))
TWELVE_LINES = invoice(*_TWELVE)
THREE_RATES = invoice(
    line("A", unit_price="10"), line("B", unit_price="20", tax=IVA_10), line("C", tax=IVA_4)
)
EXEMPT = invoice(line("Curso de formación", tax=NO_TAX))
EXEMPT_BESIDE_TAXED = invoice(
    line("Training", tax=Tax(TaxType.NONE, Decimal(0), VatCategory.EXEMPT)),
    line("Plan"),
    buyer=AMERICAN,
)
REVERSE_CHARGE = invoice(
    line("SIP trunk, 30 channels", "1", "240", tax=NO_TAX, remarks="Düsseldorf, Königsallee"),
    line("Minutes to Germany", "8123.5", "0.0071", tax=NO_TAX),
    buyer=GERMAN,
    description="Services of February 2026",
)
OUT_OF_SCOPE = invoice(
    line("Hosted PBX, seat", "20", "9.95", tax=NO_TAX, currency="USD"),
    buyer=AMERICAN,
    currency="USD",
)
ZERO_RATED = invoice(line(tax=Tax(TaxType.VAT, Decimal(0))), buyer=GERMAN)
CANARY_ISLANDS = invoice(line(tax=IGIC), buyer=CANARIAN)
CEUTA = invoice(line(tax=IPSI), buyer=CEUTAN)
IVA_AND_VAT = invoice(
    line(unit_price="0.07"), line(unit_price="0.07", tax=Tax(TaxType.VAT, Decimal("21.00")))
)
ROUNDING_20 = invoice(line(quantity="50", unit_price="241.67", tax=Tax(TaxType.VAT, Decimal(20))))
ROUNDING_19 = invoice(
    line(unit_price="73.875", tax=Tax(TaxType.VAT, Decimal(19))), buyer=replace(GERMAN, tax_id=None)
)
NEGATIVE_PRICE = invoice(line(), line("Rebate", "2", "-10"), line("Setup", setup_costs="-5.5"))
CREDIT_NOTE = credited(TWELVE_LINES)
JPY = invoice(
    line("Hosted PBX, seat", "4", "1480", tax=NO_TAX, currency="JPY", setup_costs="3000"),
    line("Calls", "1", "7.6", tax=NO_TAX, currency="JPY"),
    buyer=JAPANESE,
    currency="JPY",
    description="Services of February 2026",
)
YEN_OF_TWO_TAXES = invoice(
    line(unit_price="5", tax=IVA_10, currency="JPY"),
    line(unit_price="5", tax=Tax(TaxType.VAT, Decimal(10)), currency="JPY"),
    currency="JPY",
)
BHD = invoice(
    *(line(f"Plan {n}", "1", "1.234", currency="BHD") for n in range(3)),
    currency="BHD",
)
XRECHNUNG = invoice(
    line("SIP-Anschluss, 30 Kanäle", "1", "240", tax=MWST, setup_costs="25", period=None),
    line("Minuten", "8123.5", "0.0071", tax=MWST, period=None, order_id="PO-1"),
    seller=GERMAN_SELLER,
    buyer=AUTHORITY,
    description="Leistungen im Februar 2026",
)
PEPPOL = invoice(
    *(line(each, "3", "12.50", tax=NO_TAX, order_id="4500001") for each in ("Plan A", "Plan B")),
    buyer=DUTCH,
    description="Services of February 2026",
)
DUTCH_HOME = invoice(
    line(tax=Tax(TaxType.VAT, Decimal(21)), order_id="4500001"),
    seller=replace(
        SELLER, tax_id="NL4495445B01", address=Address("Damrak 2", "1012 LG", "Amsterdam", "NL")
    ),
    buyer=DUTCH,
)
NO_IBAN = invoice(line(), seller=replace(SELLER, iban=None, bic=None, phone=None, url=None))
PRIVATE_PERSON = invoice(line(), buyer=replace(BUYER, company_name=None, tax_id=None))
FOREIGN_SELLER = invoice(
    line(tax=Tax(TaxType.VAT, Decimal(20)), currency="GBP"),
    seller=replace(
        SELLER, tax_id="GB980780684", address=Address("1 Strand", "WC2N", "London", "GB")
    ),
    currency="GBP",
)
LONG_NAMES = invoice(
    line(f"{LONG} {LONG}, {'x' * 120}", "123456.789", "99999.12345", remarks=f"{LONG} " * 3),
    line("Tarifa móvil 20 GB", order_id="PO-" + "9" * 61),
    seller=replace(SELLER, legal_name=f"{LONG} & {LONG}", email=f"{'e' * 60}@clara.example"),
    buyer=replace(
        BUYER,
        name=LONG,
        company_name=f"{LONG} und {LONG}",
        address=Address(f"{LONG} 1234", "08005", LONG, "ES"),
    ),
    description="Servicios de febrero de 2026, " * 12,
)
HOSTILE_TEXT = invoice(
    line(HOSTILE, remarks=HOSTILE, order_id=HOSTILE),
    seller=replace(SELLER, legal_name=HOSTILE, phone=HOSTILE, url=HOSTILE),
    buyer=replace(
        BUYER,
        name=HOSTILE,
        company_name=HOSTILE,
        email=HOSTILE,
        address=Address(HOSTILE, HOSTILE, HOSTILE, "ES"),
    ),
    description=HOSTILE,
)


def abroad(buyer: Account, description: str, remarks: str) -> IssuedInvoice:
    """Invoice a buyer outside the EU, in the buyer's letters and in others."""
    return invoice(
        line(description, "4", "1480", tax=NO_TAX, remarks=remarks),
        line("Hosted PBX, seat", "1", "7.6", tax=NO_TAX, order_id="PO-7731"),
        buyer=buyer,
        description=f"Services of February 2026, {buyer.company_name}",
    )


WITH_LOGO = replace(REVERSE_CHARGE, seller=replace(SELLER, logo=read_logo(LOGO.encode())))
"""It is printed with LOGO."""

LETTERS = {
    "Japanese": abroad(KYOTO, "クラウド電話、１席（龍・𠮷野家・直角骨）", "がぎぐげご「テスト」…"),
    "Chinese": abroad(SHANGHAI, "云电话，每个席位（直角骨）", "备注：“测试”，二〇二六年"),
    "Taiwanese": abroad(TAIPEI, "雲端電話，每個席位（直角骨）", "ㄅㄧㄢˋ、備註"),
    "Korean": abroad(SEOUL, "클라우드 전화, 좌석당 요금", "비고: 大韓民國 직통 번호"),
    "Thai": abroad(BANGKOK, "โทรศัพท์คลาวด์ต่อที่นั่ง น้ำ ผู้ ที่", "หมายเหตุ: ค่าบริการเดือนกุมภาพันธ์"),
    "Arabic": abroad(CAIRO, "هاتف سحابي، لكل مقعد (SIP 30)", "ملاحظة: خط مباشر +20 2 2345 والسلام"),
    "Persian": abroad(replace(CAIRO, name="می‌نویسم پژوهش‌گر"), "گچپژ ۱۲۳", "می‌خواهم"),
    "Hebrew": abroad(HAIFA, "מרכזייה בענן, מושב (SIP 30)", "שָׁלוֹם: קו ישיר 04-8123456, ₪"),
    "Greek": abroad(ATHENS, "Τηλεφωνικό κέντρο, θέση", "Ἑλλὰς ᾠδή, ευχαριστούμε"),
    "Georgian and Armenian": abroad(TBILISI, "ტელეფონია", "Հեռախոս, Ҟьыҧа, Ĳssel, ŉ"),
    "Vietnamese": abroad(
        replace(JAPANESE, name="Nguyễn Thị Ánh", company_name="Công ty Ví dụ"),
        "Tổng đài đám mây",
        "Ẹ̀kọ́ ṣọ́ọ̀ṣì",
    ),
}


def converted(document: IssuedInvoice, foreign: str, national: Money, rate: str) -> IssuedInvoice:
    """State the VAT of a document in the national currency."""
    conversion = Conversion(national, date(2026, 2, 27), Decimal(foreign), Decimal(rate))
    return replace(document, conversion=replace(conversion, tax=conversion.of(document.tax)))


IN_DOLLARS = converted(
    invoice(line(currency="USD"), line(currency="USD", tax=IVA_10), currency="USD"),
    "1.0812",
    Money.zero("EUR"),
    "1",
)
SWEDISH = converted(
    invoice(
        line(currency="JPY", unit_price="10000", tax=Tax(TaxType.VAT, Decimal(25))),
        currency="JPY",
        buyer=replace(
            GERMAN,
            company_name=None,
            tax_id="SE123456789701",
            country="SE",
            address=Address("Gatan 1", "111 22", "Stockholm", "SE"),
        ),
        seller=replace(
            SELLER,
            tax_id="SE556703748501",
            address=Address("Gatan 2", "111 22", "Stockholm", "SE"),
        ),
    ),
    "163.06",
    Money.zero("SEK"),
    "10.978",
)

SAMPLES = {
    "one line": ONE_LINE,
    "twelve lines": TWELVE_LINES,
    "200 lines": many(200),
    "three rates": THREE_RATES,
    "exempt": EXEMPT,
    "exempt beside taxed": EXEMPT_BESIDE_TAXED,
    "reverse charge": REVERSE_CHARGE,
    "out of scope": OUT_OF_SCOPE,
    "zero rated": ZERO_RATED,
    "IGIC": CANARY_ISLANDS,
    "IPSI": CEUTA,
    "IVA and VAT of one rate": IVA_AND_VAT,
    "50 × 241.67 at 20 %": ROUNDING_20,
    "73.875 at 19 %": ROUNDING_19,
    "negative prices": NEGATIVE_PRICE,
    "credit note": CREDIT_NOTE,
    "credit note of a reverse charge": credited(REVERSE_CHARGE),
    "JPY": JPY,
    "JPY, each tax of one rate rounded up": YEN_OF_TWO_TAXES,
    "BHD": BHD,
    "BHD credit note": credited(BHD),
    "USD of a seller with EUR": IN_DOLLARS,
    "USD credit note": credited(IN_DOLLARS),
    "JPY of a seller with SEK": SWEDISH,
    "XRechnung": XRECHNUNG,
    "XRechnung credit note": credited(XRECHNUNG),
    "Peppol": PEPPOL,
    "Peppol credit note": credited(PEPPOL),
    "Peppol at home": DUTCH_HOME,
    "Peppol credit note at home": credited(DUTCH_HOME),
    "JPY credit note": credited(JPY),
    "no IBAN": NO_IBAN,
    "private person": PRIVATE_PERSON,
    "seller outside the EU": FOREIGN_SELLER,
    "long names": LONG_NAMES,
    "hostile text": HOSTILE_TEXT,
    **LETTERS,
}

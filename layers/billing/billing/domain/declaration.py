"""
The declaración responsable: who makes this software states that it keeps the law.

Art. 13 of RD 1007/2023 and art. 15 of Orden HAC/1177/2024, letters a) to l). It is in Spanish, as
it is for the tax agency. Whoever deploys fills in the parameters of the stack, and signs.
"""

from dataclasses import dataclass

from billing.domain.verifactu import System

TITLE = "DECLARACIÓN RESPONSABLE DEL SISTEMA INFORMÁTICO DE FACTURACIÓN"


@dataclass(frozen=True, slots=True)
class Signature:
    """Where the producer can be reached, and when and where the declaration was signed."""

    address: str
    signed_on: str
    signed_at: str


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of the declaration, by its letter in the Orden."""

    letter: str
    heading: str
    text: str


def declaration(system: System, signature: Signature) -> list[Statement]:
    """Return the statements of the declaration; what is not filled in is a dotted line."""
    blank = "…………"
    return [
        Statement("a", "Nombre del sistema informático", system.name),
        Statement("b", "Código identificador del sistema informático", system.id),
        Statement("c", "Identificador completo de la versión", system.version),
        Statement(
            "d",
            "Componentes y descripción",
            "Software que expide y conserva facturas y facturas rectificativas, genera y encadena "
            "sus registros de facturación, y los remite a la Agencia Tributaria. Se ejecuta como "
            "servicio en la nube (funciones y tablas de AWS) y se usa por una API HTTP. Cada "
            "organización es independiente de las demás.",
        ),
        Statement(
            "e",
            "Funciona exclusivamente como «VERI*FACTU»",
            "S - Sí",
        ),
        Statement("f", "Permite la facturación de varios obligados tributarios", "S - Sí"),
        Statement(
            "g",
            "Tipos de firma",
            "No se firman expresamente los registros: en la modalidad «VERI*FACTU» quedan firmados "
            "al remitirse a la Agencia Tributaria con un certificado electrónico cualificado.",
        ),
        Statement("h", "Productor del sistema informático", system.producer or blank),
        Statement("i", "Número de identificación fiscal (NIF)", system.producer_tax_id or blank),
        Statement("j", "Dirección postal de contacto", signature.address or blank),
        Statement(
            "k",
            "Cumplimiento",
            "El productor hace constar que este sistema informático, en la versión indicada, "
            "cumple con lo dispuesto en el artículo 29.2.j) de la Ley 58/2003, de 17 de diciembre, "
            "General Tributaria, en el Reglamento aprobado por el Real Decreto 1007/2023, de 5 de "
            "diciembre, en la Orden HAC/1177/2024, de 17 de octubre, y en la sede electrónica de "
            "la Agencia Estatal de Administración Tributaria para todo aquello que complete las "
            "especificaciones de dicha orden.",
        ),
        Statement(
            "l",
            "Fecha y lugar de suscripción",
            f"{signature.signed_on or blank}, {signature.signed_at or blank}",
        ),
    ]

"""
Schemes of electronic addresses (BT-34-1 and BT-49-1).

- The EAS code list of the European Commission, as the rules of EN 16931 1.3.16 (March 2026) have
  it (BR-CL-25), without 0213, which is withdrawn.
- Those of them that Peppol knows: the code list of its BIS Billing 3.0, release of May 2026.
"""

PEPPOL_SCHEMES = frozenset(
    """
    0002 0007 0009 0060 0088 0096 0097 0106 0130 0135 0142 0151 0158 0183 0184 0188 0190 0191 0192
    0195 0196 0198 0199 0200 0201 0204 0208 0209 0210 0211 0216 0218 0221 0225 0230 0235 0240 0242
    0244 0245 0246 0248 9910 9913 9914 9915 9918 9919 9920 9922 9923 9924 9925 9926 9927 9928 9929
    9930 9931 9932 9933 9934 9935 9936 9937 9938 9939 9940 9941 9942 9943 9944 9945 9946 9947 9948
    9949 9950 9951 9952 9953 9957 9959
    """.split()
)
ADDRESS_SCHEMES = PEPPOL_SCHEMES | frozenset(
    """
    0037 0147 0154 0170 0177 0193 0194 0202 0203 0205 0212 0215 0217 0219 0220 AN AQ AS AU EM
    """.split()
)

EMAIL_SCHEME = "EM"
VAT_SCHEMES = {
    "AT": "9914", "BE": "9925", "BG": "9926", "CY": "9928", "CZ": "9929", "DE": "9930",
    "EE": "9931", "ES": "9920", "FR": "9957", "GR": "9933", "HR": "9934", "HU": "9910",
    "IE": "9935", "IT": "0211", "LT": "9937", "LU": "9938", "LV": "9939", "MT": "9943",
    "NL": "9944", "PL": "9945", "PT": "9946", "RO": "9947", "SI": "9949", "SK": "9950",
}  # fmt: skip
"""The schemes of VAT ids, by country. Denmark, Finland and Sweden have none."""
FINNISH_SCHEME = "0216"
"""The OVT code: 0037 and the eight digits of a business id."""

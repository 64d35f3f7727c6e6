"""E-invoices: EN 16931 as CII and as UBL."""

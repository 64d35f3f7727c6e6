"""Invoices as PDF: PDF/A-3a for archives, PDF/UA-1 for every reader, Factur-X for machines."""

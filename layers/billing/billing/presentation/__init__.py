"""What people read of documents: amounts, days, QR codes. It takes babel and segno."""

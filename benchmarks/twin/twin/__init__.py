"""The invoices group and POST refund, as FastAPI, Mangum and boto3's resource have them."""

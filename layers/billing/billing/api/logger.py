"""The logger of all functions: JSON lines, without anything secret."""

from aws_lambda_powertools import Logger

logger = Logger()

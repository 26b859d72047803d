"""The ledger: what people and jobs wrote down about incidents, alerts and deploys, append-only and hash-chained."""

from cloudxai_analysis.ledger.entries import Confirmation, Incident, Label, Rejection
from cloudxai_analysis.ledger.ledger import Head, Ledger

__all__ = ["Confirmation", "Head", "Incident", "Label", "Ledger", "Rejection"]

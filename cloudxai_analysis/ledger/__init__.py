"""The ledger: what people and jobs wrote down about incidents, alerts and deploys, append-only and hash-chained."""

from cloudxai_analysis.ledger.chain import Head
from cloudxai_analysis.ledger.entries import (
    Attestation,
    Complete,
    Confirmation,
    Decision,
    Deploy,
    Incident,
    Label,
    Maintenance,
    Observation,
    Proposal,
    Rejection,
    Withdrawal,
)
from cloudxai_analysis.ledger.ledger import Ledger

__all__ = [
    "Attestation",
    "Complete",
    "Confirmation",
    "Decision",
    "Deploy",
    "Head",
    "Incident",
    "Label",
    "Ledger",
    "Maintenance",
    "Observation",
    "Proposal",
    "Rejection",
    "Withdrawal",
]

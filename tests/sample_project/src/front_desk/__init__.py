"""The front desk of a small practice: asks insurers, bills them, and knows what came of it."""

from front_desk.desk import FrontDesk, MaybeFiledError, Patient, Visit
from front_desk.vault import Vault

__all__ = ["FrontDesk", "MaybeFiledError", "Patient", "Vault", "Visit"]

"""Scoring in processes that can be killed: the Service, its pools of workers, and what runs in them."""

from rewards.service.service import Service
from rewards.service.worker import WorkerError

__all__ = ["Service", "WorkerError"]

"""Evaluation by named protocols: data set x method gives records, and records give tables."""

from unblur.evaluate.contender import Contender, contenders
from unblur.evaluate.iqa import judges
from unblur.evaluate.page import page
from unblur.evaluate.protocols import PROTOCOLS, Protocol, find, settle
from unblur.evaluate.published import published
from unblur.evaluate.records import Record, Store, to_json
from unblur.evaluate.run import Run, run
from unblur.evaluate.score import Score, scores
from unblur.evaluate.tables import report, summary, table_1
from unblur.evaluate.timing import Timing, frame, measure

__all__ = [
    "PROTOCOLS",
    "Contender",
    "Protocol",
    "Record",
    "Run",
    "Score",
    "Store",
    "Timing",
    "contenders",
    "find",
    "frame",
    "judges",
    "measure",
    "page",
    "published",
    "report",
    "run",
    "scores",
    "settle",
    "summary",
    "table_1",
    "to_json",
]

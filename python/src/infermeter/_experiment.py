"""The directory of an experiment: several runs, and the answer over them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union, cast

from ._binary import ask, binary
from ._errors import Error
from ._run import MANIFEST, Run

if TYPE_CHECKING:
    from .schema import CompareAnswer, RepeatAnswer, SearchReport, SweepAnswer, Verdict

    Answer = Union[RepeatAnswer, SweepAnswer, SearchReport, CompareAnswer]

# The file with the answer of each kind.
ANSWERS = {kind: f"{kind}.json" for kind in ("repeat", "sweep", "search", "compare")}
# What every experiment has from its beginning on.
LEDGER = "experiment.ledger"


class Experiment:
    """Runs of one experiment, in the order of measuring, and what was found over them."""

    def __init__(self, path: Union[str, os.PathLike[str]], exit_code: Optional[int] = None) -> None:
        self.path = Path(path)
        # That of the command, where this process has measured it.
        self.exit_code = exit_code
        self._answer: Optional[Answer] = None

    def __repr__(self) -> str:
        return f"<infermeter.Experiment {self.kind or 'without an answer'} of {len(self.runs)} runs in {self.path}>"

    @property
    def kind(self) -> Optional[str]:
        """`repeat`, `sweep`, `search` or `compare`; `None` where it was cut off before there was an answer."""
        return next((kind for kind, file in ANSWERS.items() if (self.path / file).is_file()), None)

    @property
    def runs(self) -> list[Run]:
        """The runs that are there, in the order of measuring."""
        names = [manifest.parent for manifest in self.path.glob(f"run-*/{MANIFEST}")]
        # Beyond 99 names grow longer.
        return [Run(path) for path in sorted(names, key=lambda path: (len(path.name), path.name))]

    @property
    def answer(self) -> Answer:
        """What was found, as `--json` prints it: see `infermeter.schema` for each kind."""
        if self._answer is None:
            kind = self.kind
            if kind is None:
                raise Error(
                    f"{self.path} has no answer yet: continue it with `infermeter COMMAND --resume {self.path}`, "
                    f"or see what there is with `infermeter report {self.path}`"
                )
            text = (self.path / ANSWERS[kind]).read_text(encoding="utf-8")
            self._answer = cast("Answer", json.loads(text))
        return self._answer

    @property
    def verdict(self) -> Optional[Verdict]:
        """Whether all of it can be trusted; `None` for a sweep and a search, whose runs have verdicts of their own."""
        answer = cast("dict[str, Any]", self.answer)
        return cast("Optional[Verdict]", answer.get("verdict"))

    @property
    def line(self) -> str:
        """The answer in a line."""
        return self.answer["answer_in_a_line"]

    def markdown(self) -> str:
        """The result as Markdown, computed again from the records."""
        return ask([binary(), "report", str(self.path), "--format", "markdown"])

    def _repr_markdown_(self) -> str:
        return self.markdown()

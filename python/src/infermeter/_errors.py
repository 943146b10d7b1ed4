"""What can go wrong, as one exception."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, Union

if TYPE_CHECKING:
    from ._experiment import Experiment
    from ._run import Run


class Error(Exception):
    """infermeter could not do what was asked, or a record is not there.

    The message says what is wrong and what to do. `exit_code` is that of the command, where one was started: 2 for a
    wrong flag or plan, 4 for a target that could not be reached or failed every request. `record` is what was measured
    all the same, where there is such a thing.
    """

    def __init__(
        self,
        message: str,
        exit_code: Optional[int] = None,
        record: Optional[Union[Run, Experiment]] = None,
    ) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.record = record

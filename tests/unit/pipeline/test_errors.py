"""The tree of errors."""

import pytest

from lithoscope_pipeline import errors


@pytest.mark.parametrize(
    "error",
    [
        errors.ShapeError,
        errors.ParameterError,
        errors.NonFiniteError,
        errors.AngularRangeError,
    ],
)
def test_broken_contracts_are_pipeline_errors_and_value_errors(error: type[Exception]) -> None:
    assert issubclass(error, errors.PipelineError)
    assert issubclass(error, ValueError)

"""Opens exports with the readers that people use; anything wrong ends with an error.

Arguments: the exports of one run: a folder of CSV, a JUnit file, an llm-d report.
"""

import json
import sys

import jsonschema
import llmd_benchmark_report
import pandas
from junitparser import JUnitXml

tables, junit, report = sys.argv[1:]

requests = pandas.read_csv(f"{tables}/requests.csv")
runs = pandas.read_csv(f"{tables}/runs.csv")
figures = pandas.read_csv(f"{tables}/figures.csv")
measured = requests[(requests.phase == "measure") & (requests.outcome == "completed")]
assert len(measured) == runs.completed.sum(), "completed requests"
longest = figures[(figures.metric == "e2e") & (figures.origin == "send") & (figures.statistic == "max")]
assert abs(longest.value.iloc[0] - measured.e2e_send_ms.max()) < 1e-6, "the longest E2E"
print(f"    pandas {pandas.__version__}: {len(requests)} requests, {len(figures)} figures")

suites = JUnitXml.fromfile(junit)
cases = sum(1 for suite in suites for _ in suite)
assert cases == suites.tests > 0, "test cases"
print(f"    junitparser: {suites.tests} cases, {suites.failures} failures, {suites.errors} errors")

with open(report, encoding="utf-8") as file:
    value = json.load(file)
schema = json.loads(llmd_benchmark_report.make_json_schema("0.2.1"))
jsonschema.Draft202012Validator(schema).validate(value)
llmd_benchmark_report.load_benchmark_report(value)
wrong = json.loads(json.dumps(value))
wrong["results"]["request_performance"]["aggregate"]["unknown"] = 1
assert not jsonschema.Draft202012Validator(schema).is_valid(wrong), "the schema refuses nothing"
print("    llm-d: the report is valid against its JSON Schema and its model")

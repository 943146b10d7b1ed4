"""Holds the manifests of a launch against the strict schemas of several versions of Kubernetes; anything wrong ends
with an error.

Arguments: a file of manifests, and versions.
"""

import copy
import sys

import kubernetes_validate
import yaml

path, *versions = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    objects = list(yaml.safe_load_all(file))
assert [one["kind"] for one in objects] == ["Service", "ConfigMap", "Job"], "kinds"

for version in versions:
    for one in objects:
        try:
            kubernetes_validate.validate(one, version, strict=True)
        except kubernetes_validate.ValidationError as wrong:
            place = ".".join(str(part) for part in wrong.path)
            raise SystemExit(f"{version}: {one['kind']}: {place}: {wrong.message}")
        # A schema that takes anything would say nothing.
        wrong = copy.deepcopy(one)
        wrong["unknown"] = 1
        if "spec" in wrong:
            del wrong["unknown"]
            wrong["spec"]["unknown"] = 1
        try:
            kubernetes_validate.validate(wrong, version, strict=True)
        except kubernetes_validate.ValidationError:
            continue
        raise SystemExit(f"{version}: a member that is not there passes")

# What no schema knows.
service, config, job = objects
names = {one["metadata"]["name"] for one in objects}
spec = job["spec"]["template"]["spec"]
container = spec["containers"][0]
assert len(names) == 1 and spec["subdomain"] in names, "names"
assert service["spec"]["selector"].items() <= job["spec"]["template"]["metadata"]["labels"].items(), "selector"
resources = container["resources"]
assert resources["requests"] == resources["limits"], "guaranteed quality of service"
assert resources["requests"]["cpu"].isdigit(), "whole cores"
ranks = {one["name"]: one.get("value") for one in container["env"]}["INFERMETER_RANKS"]
assert int(ranks) == job["spec"]["completions"] == job["spec"]["parallelism"], "ranks"
mounted = {mount["name"] for mount in container["volumeMounts"]}
assert mounted == {volume["name"] for volume in spec["volumes"]}, "volumes"
assert "plan.toml" in config["data"], "the plan"

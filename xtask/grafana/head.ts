// The dashboard has to be a value of Grafana's own type. What stands in a file are words, not members of an
// enumeration, so each of those is replaced by its value.
import type { AnnotationQuery, Dashboard } from "@grafana/schema";

type Plain<T> = T extends string
  ? `${T}`
  : T extends (infer Item)[]
    ? Plain<Item>[]
    : T extends object
      ? { [Name in keyof T]: Plain<T[Name]> }
      : T;

// Members that Prometheus' own annotations have beside those of all.
type Annotation = AnnotationQuery & {
  expr?: string;
  step?: string;
  tagKeys?: string;
  textFormat?: string;
  titleFormat?: string;
  useValueForTime?: "on" | "off" | boolean;
};

type Whole = Omit<Dashboard, "annotations"> & { annotations?: { list?: Annotation[] } };

export const dashboard: Plain<Whole> =

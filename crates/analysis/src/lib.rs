//! Judgement: SLOs, checks, findings, verdict.

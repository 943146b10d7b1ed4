//! What a curve says, finished or not.

use super::steps::has_recovered;
use super::{Curve, level, value_of};
use infermeter_analysis::highest_rate::Probe;
use infermeter_analysis::{
    Best, Breaking, CurveAnswer, Level, LevelLooks, RateEstimate, Recovery, Repeated, Steadiness,
    Summary, Sustained, Wanted, answers, each_objective, frontier, knee, out_of_order, scalability,
};
use infermeter_core::finding::Verdict;

impl Curve<'_> {
    pub(super) fn answer(&self) -> CurveAnswer {
        let levels: Vec<Level> = self.levels.iter().map(|m| m.level.clone()).collect();
        let probes = self.levels.iter().flat_map(|m| m.probes.iter().cloned());
        let probes = (!self.sweep.spec.is_closed()).then(|| probes.collect::<Vec<Probe>>());
        let highest = self.highest();
        let objectives = each_objective(&levels, probes.as_deref());
        let estimate = match objectives.as_slice() {
            // The law takes a while.
            [one] if one.highest == highest => one.estimate,
            _ => RateEstimate::of(probes.as_deref(), &answers(&levels)),
        };
        CurveAnswer {
            variant: self.variant,
            highest,
            estimate,
            objectives,
            overloaded_at: self.first_overloaded(),
            out_of_order: out_of_order(&levels),
            past_saturation: self.past_saturation(),
            most_goodput: most_goodput(&levels),
            throughput_and_tail: frontier(&levels, Wanted::ThroughputAndTail),
            gpu_and_user: frontier(&levels, Wanted::GpuAndUser),
            knee: knee(&levels),
            scalability: scalability(&levels),
            breaking: self.breaking(),
            sustained: self.sustained_answer(),
            levels,
        }
    }

    fn past_saturation(&self) -> Vec<f64> {
        let given = self.sweep.given().unwrap_or_default();
        let Some(past) = self.first_overloaded() else {
            return Vec::new();
        };
        let measured = |load: &f64| self.levels.iter().any(|m| m.level.load == *load);
        let skipped = given.iter().filter(|load| **load > past && !measured(load));
        skipped.copied().collect()
    }

    fn breaking(&self) -> Option<Breaking> {
        if !self.sweep.spec.breaking_point {
            return None;
        }
        let broken = self.broken();
        Some(Breaking {
            at: broken.map(|level| level.load),
            failed: broken.and_then(|level| level.failed),
            recovery: self.recovery.last().map(|last| Recovery {
                load: value_of(&last.at),
                runs: self.recovery.len(),
                recovered: has_recovered(last),
            }),
        })
    }

    /// All of them are as long as each other.
    fn sustained_looks(&self) -> LevelLooks {
        let runs = self.sweep.spec.sustain_runs as usize;
        LevelLooks {
            replicates: runs,
            most: runs,
        }
    }

    fn sustained_answer(&self) -> Option<Sustained> {
        let length = self.sweep.spec.sustain?;
        let rate = value_of(&self.sustained.first()?.at);
        let runs: Vec<(Summary, Verdict)> = self
            .sustained
            .iter()
            .map(|point| (point.seen.summary.clone(), point.seen.verdict))
            .collect();
        let numbered = (1..).zip(&runs);
        let drifting = numbered.filter(|(_, (summary, _))| drifts(summary));
        let drifting = drifting.map(|(number, _)| number).collect();
        Some(Sustained {
            rate,
            length,
            level: level(rate, &self.sustained, self.sustained_looks()),
            repeated: Repeated::of(&runs),
            drifting,
        })
    }
}

fn drifts(summary: &Summary) -> bool {
    let unsteady =
        |steady: &infermeter_analysis::SteadySummary| steady.answer == Steadiness::NotSteady;
    summary.slow_down.is_some() || summary.steady.as_ref().is_some_and(unsteady)
}

fn most_goodput(levels: &[Level]) -> Option<Best> {
    let all = levels.iter().filter_map(|level| {
        Some(Best {
            load: level.load,
            value: level.goodput?,
        })
    });
    all.max_by(|a, b| a.value.value.total_cmp(&b.value.value))
}

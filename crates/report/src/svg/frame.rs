//! What stands around and behind the marks: grid, ticks, titles of the axes, phases, stalls; and the rules in
//! front of them.
//!
//! Invariant: labels do not overlap their neighbours.

use super::pen::{Anchor, Area, At, Pen, cut, step, wide};
use super::{LINE, MARGIN, Plot};
use crate::chart::{Across, Rule, Scale, Shade, ShadeKind};

impl Plot<'_> {
    pub(super) fn draw_frame(&self, pen: &mut Pen) {
        for shade in &self.chart.shades {
            self.draw_shade(pen, shade);
        }
        self.draw_y_axis(pen);
        self.draw_x_axis(pen);
    }

    fn draw_y_axis(&self, pen: &mut Pen) {
        let area = self.area;
        let room = area.left - MARGIN - 6.0;
        for tick in &self.y.ticks {
            let Some(y) = self.y(tick.at) else { continue };
            if !matches!(self.chart.y.scale, Scale::Categories(_)) {
                pen.path(
                    "grid",
                    &format!("{}H{:.0}", step('M', At { x: area.left, y }), area.right),
                );
            }
            let at = At {
                x: area.left - 6.0,
                y: y + 4.0,
            };
            pen.text("dim", at, Anchor::End, &cut(&tick.text, room));
        }
        let at = At {
            x: MARGIN,
            y: area.top - 13.0,
        };
        pen.text(
            "dim",
            at,
            Anchor::Start,
            &cut(&self.y.title, area.right - MARGIN),
        );
    }

    fn draw_x_axis(&self, pen: &mut Pen) {
        let area = self.area;
        let base = At {
            x: area.left,
            y: area.bottom,
        };
        pen.path("axis", &format!("{}H{:.0}", step('M', base), area.right));
        let each = (area.right - area.left) / self.x.ticks.len().max(1) as f64;
        let mut taken = f64::NEG_INFINITY;
        for tick in &self.x.ticks {
            let Some(x) = self.x(tick.at) else { continue };
            let text = cut(&tick.text, each.max(60.0));
            let half = wide(&text) / 2.0;
            if x - half < taken {
                continue;
            }
            taken = x + half + 4.0;
            pen.path(
                "axis",
                &format!("{}v4", step('M', At { x, y: area.bottom })),
            );
            let at = At {
                // Signs are wider than letters.
                x: x.min(area.right + MARGIN + 6.0 - 1.25 * half),
                y: area.bottom + 16.0,
            };
            pen.text("dim", at, Anchor::Middle, &text);
        }
        let at = At {
            x: area.right,
            y: area.bottom + LINE + 16.0,
        };
        pen.text("dim", at, Anchor::End, &cut(&self.x.title, area.right));
    }

    fn draw_shade(&self, pen: &mut Pen, shade: &Shade) {
        let Some((left, right)) = self.x(shade.x.low).zip(self.x(shade.x.high)) else {
            return;
        };
        let area = Area {
            left,
            right,
            ..self.area
        };
        match shade.kind {
            ShadeKind::Phase => {
                pen.rect("phase", area);
                if wide(&shade.label) < right - left - 6.0 {
                    let at = At {
                        x: left + 4.0,
                        y: area.top + 13.0,
                    };
                    pen.text("dim", at, Anchor::Start, &shade.label);
                }
            }
            ShadeKind::Stall => {
                pen.rect("stall", area);
                let at = At {
                    x: (left + right) / 2.0 - 4.0,
                    y: area.top - 6.0,
                };
                pen.path("stall-mark", &format!("{}h8l-4 6z", step('M', at)));
            }
        }
    }

    pub(super) fn draw_rules(&self, pen: &mut Pen) {
        for (i, rule) in self.chart.rules.iter().enumerate() {
            match rule.across {
                Across::Y if self.far.contains(&i) => self.draw_far(pen, rule),
                Across::Y => self.draw_y_rule(pen, rule),
                Across::X => self.draw_x_rule(pen, rule),
            }
        }
    }

    /// Its label stands at the left, where latencies are short.
    fn draw_y_rule(&self, pen: &mut Pen, rule: &Rule) {
        let Some(y) = self.y(rule.at) else { return };
        let area = self.area;
        let from = At { x: area.left, y };
        pen.path("rule", &format!("{}H{:.0}", step('M', from), area.right));
        let at = At {
            x: (area.left + 4.0 + wide(&rule.label)).min(area.right),
            y: if y < area.top + LINE {
                y + 14.0
            } else {
                y - 5.0
            },
        };
        self.draw_label(pen, at, &rule.label);
    }

    fn draw_x_rule(&self, pen: &mut Pen, rule: &Rule) {
        let Some(x) = self.x(rule.at) else { return };
        let area = self.area;
        pen.path(
            "rule",
            &format!("{}V{:.0}", step('M', At { x, y: area.top }), area.bottom),
        );
        // Above the marks, which begin right below.
        let half = wide(&rule.label) / 2.0;
        let at = At {
            x: (x + half).clamp(
                area.left + 2.0 * half,
                area.right.max(area.left + 2.0 * half),
            ),
            y: area.top - 4.0,
        };
        self.draw_label(pen, at, &rule.label);
    }

    /// A rule that lies above everything else.
    fn draw_far(&self, pen: &mut Pen, rule: &Rule) {
        let nth = self
            .far
            .iter()
            .filter(|i| self.chart.rules[**i].at <= rule.at)
            .count();
        let at = At {
            x: self.area.right - 2.0,
            y: self.area.top - 10.0 + 14.0 * (nth.saturating_sub(1)) as f64,
        };
        self.draw_label(pen, at, &format!("{} ↑ above the chart", rule.label));
    }

    /// A text in front of marks, which ends at a place.
    fn draw_label(&self, pen: &mut Pen, at: At, text: &str) {
        let text = cut(text, self.area.right - self.area.left);
        pen.text("halo", at, Anchor::End, &text);
        pen.text("", at, Anchor::End, &text);
    }
}

//! A chart as data, without looks: what is on its axes, which marks stand where, how certain each is,
//! and what has to be said below it.
//!
//! No colours, no pixels, no written numbers but labels: each renderer chooses those. Invariants: a value
//! that is missing is no mark; an instant known only to lie between two others is drawn between them;
//! nothing is told by colour alone, since each series has a label of its own.

pub(crate) mod extent;
pub(crate) mod rows;
pub(crate) mod scale;

/// A chart.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chart {
    /// Its name in file names and on the command line, like `ttft-over-time`; one chart a name.
    pub slug: String,
    /// What it shows.
    pub title: String,
    /// What is said below it: the population, the method of reduction, what an interval covers.
    pub said: Vec<String>,
    /// What `n` at its marks counts; said where marks show it, which those of characters do not.
    pub counted: String,
    /// Left to right.
    pub x: Axis,
    /// From below; categories from above.
    pub y: Axis,
    /// What is drawn, the first at the back.
    pub series: Vec<Series>,
    /// Straight lines through the whole chart, as that of an objective.
    pub rules: Vec<Rule>,
    /// Ranges of x behind everything: phases and stalls.
    pub shades: Vec<Shade>,
    /// How little room it can do with.
    pub size: Size,
}

/// How little room a chart can do with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Size {
    /// It takes pixels: a terminal and Markdown leave it out.
    #[default]
    Large,
    /// A few lines of characters say the same.
    Any,
}

impl Chart {
    /// What is said below a picture, whose marks show their count.
    pub(crate) fn said_of_picture(&self) -> impl Iterator<Item = &String> {
        let counted = Some(&self.counted).filter(|counted| !counted.is_empty());
        self.said.iter().chain(counted)
    }

    /// A chart with nothing in it yet.
    pub(crate) fn new(slug: impl Into<String>, title: impl Into<String>, x: Axis, y: Axis) -> Self {
        Self {
            slug: slug.into(),
            title: title.into(),
            x,
            y,
            ..Self::default()
        }
    }

    /// The same chart, which a few lines of characters can show as well.
    #[must_use]
    pub(crate) fn at_any_size(mut self) -> Self {
        self.size = Size::Any;
        self
    }

    /// Whether nothing would be seen.
    pub(crate) fn is_empty(&self) -> bool {
        self.series.iter().all(|series| series.marks.is_empty())
    }
}

/// An axis.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Axis {
    /// What it counts, without its unit: `TTFT`, `time since the start`.
    pub label: String,
    /// What its numbers are, which decides how they are written.
    pub unit: Unit,
    /// How values become places.
    pub scale: Scale,
    /// Values that it shows at least, whatever the marks are: 0 for amounts, both ends of the run for
    /// times that several charts share.
    pub holds: Vec<f64>,
}

impl Axis {
    /// A linear axis.
    pub(crate) fn linear(label: impl Into<String>, unit: Unit) -> Self {
        Self {
            label: label.into(),
            unit,
            ..Self::default()
        }
    }

    /// A logarithmic axis. What is not above 0 is not drawn on it.
    pub(crate) fn logarithmic(label: impl Into<String>, unit: Unit) -> Self {
        Self {
            scale: Scale::Logarithmic,
            ..Self::linear(label, unit)
        }
    }

    /// An axis of names. Its marks stand at their index: the first at 0, each from half a step before it to
    /// half a step behind.
    pub(crate) fn categories(label: impl Into<String>, names: Vec<String>) -> Self {
        Self {
            scale: Scale::Categories(names),
            ..Self::linear(label, Unit::default())
        }
    }

    /// The same axis, with `value` on it.
    #[must_use]
    pub(crate) fn holding(mut self, value: f64) -> Self {
        self.holds.push(value);
        self
    }
}

/// How values become places.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Scale {
    /// Equal differences are equally far apart.
    #[default]
    Linear,
    /// Equal ratios are equally far apart.
    Logarithmic,
    /// Names, one a step.
    Categories(Vec<String>),
}

/// What the numbers of an axis are. Values are in the unit's own measure: milliseconds, seconds, shares of 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Unit {
    /// Plain numbers.
    #[default]
    Number,
    /// Whole numbers of things that are counted.
    Count,
    /// Plain numbers of something: `tokens/s`.
    Of(String),
    /// Milliseconds, written in a unit that fits.
    Milliseconds,
    /// Seconds, written in a unit that fits.
    Seconds,
    /// Shares of 1, written in per cent.
    Share,
    /// Ratios, where 1 is no change: written as the change in per cent.
    Change,
}

/// What is drawn of one thing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// What it is: `TTFT p99`, `prefill`; said in the key beside its dash or shape.
    pub label: String,
    /// The class of requests that it is of; without one it is of all of them. What a reader may filter by.
    pub class: Option<String>,
    /// How many samples are behind it, where that is one number.
    pub n: Option<u64>,
    /// Its marks.
    pub marks: Marks,
    /// A band around them.
    pub band: Option<Band>,
}

/// The marks of a series.
#[derive(Debug, Clone, PartialEq)]
pub enum Marks {
    /// Points in the order of x, joined by straight lines.
    Line(Vec<Point>),
    /// Points in the order of x; each holds until the next.
    Step(Vec<Point>),
    /// Points on their own.
    Points(Vec<Point>),
    /// Columns from 0, or from 1 on a logarithmic axis.
    Bars(Vec<Bar>),
    /// Pieces of rows, as of a timeline; y is an axis of categories.
    Spans(Vec<Span>),
    /// Fields of a heat map.
    Cells(Cells),
}

impl Default for Marks {
    fn default() -> Self {
        Self::Points(Vec::new())
    }
}

impl Marks {
    fn is_empty(&self) -> bool {
        match self {
            Self::Line(points) | Self::Step(points) | Self::Points(points) => points.is_empty(),
            Self::Bars(bars) => bars.is_empty(),
            Self::Spans(spans) => spans.is_empty(),
            Self::Cells(cells) => cells.cells.is_empty(),
        }
    }
}

/// A value and how well it is known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reading {
    /// The value; of a censored one the best guess, or the upper end.
    pub value: f64,
    /// What is known of it.
    pub known: Known,
}

impl Reading {
    /// A value without an interval.
    pub(crate) fn exact(value: f64) -> Self {
        Self {
            value,
            known: Known::Exactly,
        }
    }

    /// An estimate with its interval; an open side is `None`.
    pub(crate) fn estimate(value: f64, low: Option<f64>, high: Option<f64>) -> Self {
        Self {
            value,
            known: Known::Within(Bounds { low, high }),
        }
    }

    /// Something seen only to have happened between two values.
    pub(crate) fn censored(value: f64, low: Option<f64>, high: Option<f64>) -> Self {
        Self {
            value,
            known: Known::Censored(Bounds { low, high }),
        }
    }

    /// Its bounds, of either kind.
    pub(crate) fn bounds(&self) -> Option<Bounds> {
        match self.known {
            Known::Exactly => None,
            Known::Within(bounds) | Known::Censored(bounds) => Some(bounds),
        }
    }
}

/// How well a value is known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Known {
    /// As it stands.
    #[default]
    Exactly,
    /// An estimate with its confidence interval.
    Within(Bounds),
    /// An observation of which no more is known than its bounds.
    Censored(Bounds),
}

/// Two ends; `None` is open.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bounds {
    /// The lower one.
    pub low: Option<f64>,
    /// The upper one.
    pub high: Option<f64>,
}

/// A point.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Point {
    /// Where it stands.
    pub x: Reading,
    /// How high.
    pub y: Reading,
    /// Samples behind it.
    pub n: Option<u64>,
    /// What is written beside it; may be empty. What every point has is no label.
    pub label: String,
    /// Nothing is known between the point before and this one: no line joins them.
    pub after_gap: bool,
}

impl Point {
    /// A point that is known as it stands.
    pub(crate) fn at(x: f64, y: f64) -> Self {
        Self::of(Reading::exact(x), Reading::exact(y))
    }

    /// A point of two readings.
    pub(crate) fn of(x: Reading, y: Reading) -> Self {
        Self {
            x,
            y,
            ..Self::default()
        }
    }
}

/// A column over a range of x.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bar {
    /// From where to where it stands.
    pub x: Range,
    /// How high.
    pub y: Reading,
    /// Samples behind it.
    pub n: Option<u64>,
}

/// A piece of a row.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Span {
    /// The index of its row among the categories of y.
    pub row: usize,
    /// Where it begins.
    pub from: Reading,
    /// Where it ends.
    pub to: Reading,
}

/// A heat map.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cells {
    /// What the fields' values are; darker is more.
    pub of: Axis,
    /// The fields.
    pub cells: Vec<Field>,
}

/// A field of a heat map.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Field {
    /// From where to where.
    pub x: Range,
    /// From where to where.
    pub y: Range,
    /// Its value.
    pub value: Reading,
    /// Samples behind it.
    pub n: Option<u64>,
    /// What is said of it beside its value, as `✓`; may be empty.
    pub label: String,
}

/// From one value to another. On an axis of categories `Range::of_category(i)`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Range {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Range {
    /// From `low` to `high`.
    pub(crate) fn new(low: f64, high: f64) -> Self {
        Self { low, high }
    }

    /// The place of a category.
    pub(crate) fn of_category(index: usize) -> Self {
        Self::new(index as f64 - 0.5, index as f64 + 0.5)
    }
}

/// A band around the marks of a series.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Band {
    /// What it covers: `95 % confidence band`, `least to greatest`.
    pub label: String,
    /// Its ends at each x, in order. They hold until the next where the marks are steps.
    pub reaches: Vec<Reach>,
}

/// The ends of a band at one place.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reach {
    /// Where.
    pub x: f64,
    /// From where to where; open sides reach to the chart's edge.
    pub y: Bounds,
}

/// A straight line through a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What it is drawn across.
    pub across: Across,
    /// Where.
    pub at: f64,
    /// What it is: `ttft.p99 < 500 ms`.
    pub label: String,
}

/// The direction of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Across {
    /// At one x, from below to above.
    X,
    /// At one y, from left to right.
    Y,
}

/// A range of x that is marked behind everything.
#[derive(Debug, Clone, PartialEq)]
pub struct Shade {
    /// What it is.
    pub kind: ShadeKind,
    /// From where to where.
    pub x: Range,
    /// What is written there: `warm-up`; of a stall what caused it, if that is known.
    pub label: String,
}

/// What a shade says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShadeKind {
    /// A phase of the run whose requests are not measured.
    Phase,
    /// A time in which something stood still.
    Stall,
}

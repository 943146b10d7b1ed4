//! Small charts of characters: horizontal bars in eighths, and one line of columns.
//!
//! Invariant: a chart is as wide as asked for, and a value above 0 shows.

/// Eighths of a cell, from the left.
const LEFT: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
/// Eighths of a cell, from below.
const BELOW: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A bar of `value` where `most` takes `width` cells, padded to `width`.
pub(crate) fn bar(value: f64, most: f64, width: usize) -> String {
    let eighths = if most > 0.0 {
        (value / most * width as f64 * 8.0).round() as usize
    } else {
        0
    };
    let eighths = eighths.max(usize::from(value > 0.0)).min(width * 8);
    let mut text = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        text.push(LEFT[eighths % 8]);
    }
    let cells = text.chars().count();
    text + &" ".repeat(width - cells)
}

/// One column for each count.
pub(crate) fn columns(counts: &[u64]) -> String {
    let most = counts.iter().max().copied().unwrap_or(0).max(1);
    let height = |count: &u64| (*count * 8).div_ceil(most) as usize;
    counts.iter().map(|count| BELOW[height(count)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_wide_as_asked_for() {
        assert_eq!(bar(10.0, 10.0, 4), "████");
        assert_eq!(bar(5.0, 10.0, 4), "██  ");
        assert_eq!(bar(0.001, 10.0, 4), "▏   ");
        assert_eq!(bar(0.0, 10.0, 4), "    ");
        assert_eq!(bar(0.0, 0.0, 2), "  ");
        assert_eq!(columns(&[0, 1, 800, 400]), " ▁█▄");
    }
}

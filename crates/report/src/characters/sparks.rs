//! Charts of one line: a bar in eighths, and counts as columns.
//!
//! Invariants: a bar is as wide as asked for, and what is above 0 shows.

use super::Charset;

/// Eighths of a cell, from the left.
const LEFT: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// A bar of a share of `width` cells, padded to `width`.
pub(crate) fn bar(share: f64, width: usize, charset: Charset) -> String {
    let eighths = (share * width as f64 * 8.0).round() as usize;
    let eighths = eighths.max(usize::from(share > 0.0)).min(width * 8);
    let full = charset.glyphs().full;
    let mut text: String = std::iter::repeat_n(full, eighths / 8).collect();
    if !eighths.is_multiple_of(8) {
        text.push(match charset {
            Charset::Unicode => LEFT[eighths % 8],
            Charset::Ascii => full,
        });
    }
    let cells = text.chars().count();
    text + &" ".repeat(width - cells)
}

/// One column for each count.
pub(crate) fn columns(counts: &[u64], charset: Charset) -> String {
    let heights = charset.glyphs().heights;
    let most = counts.iter().max().copied().unwrap_or(0).max(1);
    let height = |count: &u64| (*count * 8).div_ceil(most) as usize;
    counts.iter().map(|count| heights[height(count)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_wide_as_asked_for() {
        let bar = |share| bar(share, 4, Charset::Unicode);
        assert_eq!(bar(1.0), "████");
        assert_eq!(bar(0.5), "██  ");
        assert_eq!(bar(0.0001), "▏   ");
        assert_eq!(bar(0.0), "    ");
        assert_eq!(super::bar(0.1, 4, Charset::Ascii), "H   ");
    }

    #[test]
    fn a_count_above_nothing_shows() {
        assert_eq!(columns(&[0, 1, 800, 400], Charset::Unicode), " ▁█▄");
        assert_eq!(columns(&[0, 1, 800, 400], Charset::Ascii), " .#~");
    }
}

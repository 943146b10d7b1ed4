//! CSV as RFC 4180 has it: quoted cells may hold commas, quotes and line breaks.
//!
//! Knows nothing of what the cells mean. Invariant: whatever the text is, the answer is rows; a
//! quote that never closes takes the rest of the text into its cell.

/// The rows of a text, their cells trimmed; a line without text is an empty row.
pub(crate) fn rows(text: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut cell = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(taken(&mut cell)),
            '\n' if !quoted => {
                row.push(taken(&mut cell));
                rows.push(finished(&mut row));
            }
            c => cell.push(c),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(taken(&mut cell));
        rows.push(finished(&mut row));
    }
    rows
}

fn taken(cell: &mut String) -> String {
    std::mem::take(cell).trim().to_owned()
}

/// A row; an empty line has no cells.
fn finished(row: &mut Vec<String>) -> Vec<String> {
    let row = std::mem::take(row);
    match &row[..] {
        [only] if only.is_empty() => Vec::new(),
        _ => row,
    }
}

#[cfg(test)]
mod tests {
    use super::rows;

    #[test]
    fn cells_may_hold_anything_in_quotes() {
        let parsed = rows("a, b\r\n\r\n\"x, \"\"y\"\"\nz\",2\n,");
        assert_eq!(
            parsed,
            [
                vec!["a".to_owned(), "b".to_owned()],
                vec![],
                vec!["x, \"y\"\nz".to_owned(), "2".to_owned()],
                vec![String::new(), String::new()],
            ]
        );
        assert_eq!(rows("\"never, closed\n1"), [["never, closed\n1"]]);
        assert!(rows("").is_empty());
    }
}

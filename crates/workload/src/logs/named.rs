//! Rows of a CSV table as JSON objects, so that one reader serves both forms.
//!
//! It knows no column. Invariant: every field becomes a text under its column's name, but an empty one, which
//! is absent.

use super::left_out::Reason;
use serde::Serializer;
use serde::ser::SerializeMap;

/// A table being read.
#[derive(Debug, Default)]
pub(super) struct Table {
    header: Vec<String>,
    /// A row whose quoted field goes on in the next line.
    open: Vec<u8>,
    /// Lines of it.
    lines: u64,
    /// Lines of the row that ended last.
    ended: u64,
}

impl Table {
    /// Of this header line.
    pub fn new(header: &[u8]) -> Option<Self> {
        let header = fields(header).ok()?;
        (header.len() > 1).then(|| Self {
            header,
            open: Vec::new(),
            lines: 0,
            ended: 0,
        })
    }

    /// The columns.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Takes a line; the row as JSON where it ends with it.
    pub fn row(&mut self, line: &[u8], most: usize) -> Result<Option<Vec<u8>>, Reason> {
        let within = self.lines > 0;
        if within {
            self.open.push(b'\n');
        }
        self.open.extend_from_slice(line);
        self.lines += 1;
        if self.open.len() > most {
            self.open.clear();
            self.ended = std::mem::take(&mut self.lines);
            return Err(Reason::TooLong);
        }
        // What came before has an odd number of them where it is open.
        let quotes = line.iter().filter(|byte| **byte == b'"').count();
        if (quotes % 2 == 1) != within {
            return Ok(None);
        }
        self.ended = std::mem::take(&mut self.lines);
        let whole = std::mem::take(&mut self.open);
        let fields = fields(&whole).map_err(|()| Reason::Broken)?;
        if fields.len() != self.header.len() {
            return Err(Reason::Broken);
        }
        let mut json = Vec::with_capacity(whole.len() * 2);
        object(&mut json, &self.header, &fields).map_err(|_| Reason::Broken)?;
        Ok(Some(json))
    }

    /// Lines of the row that ended last, by a stray quote as many as there were up to the next one.
    pub fn ended_lines(&self) -> u64 {
        self.ended
    }

    /// Lines of a row that was begun and has no end.
    pub fn open_lines(&self) -> u64 {
        self.lines
    }
}

fn object(json: &mut Vec<u8>, header: &[String], fields: &[String]) -> serde_json::Result<()> {
    let mut serializer = serde_json::Serializer::new(json);
    let mut map = serializer.serialize_map(None)?;
    for (name, field) in header.iter().zip(fields) {
        if !field.is_empty() {
            map.serialize_entry(name, field)?;
        }
    }
    map.end()
}

/// Fields of a row, quotes taken off.
fn fields(line: &[u8]) -> Result<Vec<String>, ()> {
    let text = std::str::from_utf8(line).map_err(|_| ())?;
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            // In the middle of a field it stands for itself, and what it opens is no field.
            '"' if !quoted && !field.is_empty() => return Err(()),
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            letter => field.push(letter),
        }
    }
    fields.push(field);
    (!quoted).then_some(fields).ok_or(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_objects() {
        let mut table = Table::new(b"id,usage,text").expect("a header");
        let mut row = |line: &str| {
            let row = table.row(line.as_bytes(), 100);
            row.map(|row| row.map(|json| String::from_utf8(json).expect("JSON")))
        };
        assert_eq!(
            row(r#"1,"{""input"":3}",a"#),
            Ok(Some(
                r#"{"id":"1","usage":"{\"input\":3}","text":"a"}"#.to_owned()
            ))
        );
        assert_eq!(row("2,,\"two"), Ok(None));
        assert_eq!(
            row("lines\""),
            Ok(Some(r#"{"id":"2","text":"two\nlines"}"#.to_owned()))
        );
        assert_eq!(row("3,4"), Err(Reason::Broken));
        assert_eq!(row(&"x".repeat(200)), Err(Reason::TooLong));
        assert_eq!(row("5,6,7").map(|row| row.is_some()), Ok(true));
    }

    #[test]
    fn lines_that_a_stray_quote_swallows_are_counted() {
        let mut table = Table::new(b"id,text").expect("a header");
        let mut row = |line: &str| table.row(line.as_bytes(), 1_000).map(|row| row.is_some());
        assert_eq!(row("1,5\" pipe"), Ok(false));
        assert_eq!(row("2,a"), Ok(false));
        assert_eq!(row("3,b\""), Err(Reason::Broken));
        assert_eq!(row("4,c"), Ok(true));
        assert_eq!(row("5,\"d"), Ok(false));
        assert_eq!((table.ended_lines(), table.open_lines()), (1, 1));
    }
}

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
}

impl Table {
    /// Of this header line.
    pub fn new(header: &[u8]) -> Option<Self> {
        let header = fields(header).ok()?;
        (header.len() > 1).then(|| Self {
            header,
            open: Vec::new(),
        })
    }

    /// The columns.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Takes a line; the row as JSON where it ends with it.
    pub fn row(&mut self, line: &[u8], most: usize) -> Result<Option<Vec<u8>>, Reason> {
        if !self.open.is_empty() {
            self.open.push(b'\n');
        }
        self.open.extend_from_slice(line);
        if self.open.len() > most {
            self.open.clear();
            return Err(Reason::TooLong);
        }
        let quotes = self.open.iter().filter(|byte| **byte == b'"').count();
        if quotes % 2 == 1 {
            return Ok(None);
        }
        let whole = std::mem::take(&mut self.open);
        let fields = fields(&whole).map_err(|()| Reason::Broken)?;
        if fields.len() != self.header.len() {
            return Err(Reason::Broken);
        }
        let mut json = Vec::with_capacity(whole.len() * 2);
        object(&mut json, &self.header, &fields).map_err(|_| Reason::Broken)?;
        Ok(Some(json))
    }

    /// A row was begun that has no end.
    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
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
}

//! Lines and columns of a document. They are looked up for every name in it, so that a look must not
//! read the document anew.

use async_graphql::Pos;
use bluejay_parser::HasSpan;

/// Where the lines of a text begin.
pub(super) struct Positions<'a> {
    text: &'a str,
    lines: Vec<usize>,
    /// How many characters there are before each byte, if a character may be longer than a byte.
    characters: Option<Vec<usize>>,
}

impl<'a> Positions<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let mut lines = vec![0];
        for (index, byte) in bytes.iter().enumerate() {
            let is_end = *byte == b'\n' || (*byte == b'\r' && bytes.get(index + 1) != Some(&b'\n'));
            if is_end {
                lines.push(index + 1);
            }
        }
        let characters = (!text.is_ascii()).then(|| characters(text));
        Self { text, lines, characters }
    }

    /// Where something begins. Lines and columns are counted from one, columns in characters.
    pub(super) fn of(&self, spanned: &impl HasSpan) -> Pos {
        self.at(spanned.span().byte_range().start)
    }

    fn at(&self, byte: usize) -> Pos {
        let byte = byte.min(self.text.len());
        let line = self.lines.partition_point(|start| *start <= byte);
        let start = self.lines[line - 1];
        let column = match &self.characters {
            None => byte - start,
            Some(characters) => characters[byte] - characters[start],
        };
        Pos { line, column: column + 1 }
    }
}

fn characters(text: &str) -> Vec<usize> {
    let mut before = 0;
    let mut counts = Vec::with_capacity(text.len() + 1);
    for character in text.chars() {
        counts.resize(counts.len() + character.len_utf8(), before);
        before += 1;
    }
    counts.push(before);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_graphql_says_and_columns_are_characters() {
        let text = "a\nbä😀c\r\nd\re";
        let positions = Positions::new(text);
        for (character, line, column) in
            [('a', 1, 1), ('b', 2, 1), ('ä', 2, 2), ('c', 2, 4), ('d', 3, 1), ('e', 4, 1)]
        {
            let byte = text.find(character).unwrap();
            assert_eq!(positions.at(byte), Pos { line, column }, "{character}");
        }
        assert_eq!(positions.at(text.len()), Pos { line: 4, column: 2 });
    }
}

//! What can be told of a text of JSON without reading it as such.

/// How many values JSON has, at least: one for each object, list and comma.
pub(crate) fn values(json: &[u8]) -> usize {
    let (mut values, mut is_text, mut bytes) = (0, false, json.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => is_text = !is_text,
            b'\\' if is_text => drop(bytes.next()),
            b'{' | b'[' | b',' if !is_text => values += 1,
            _ => {}
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_outside_of_texts() {
        for (json, expected) in [
            ("{}", 1),
            ("[1, 2, [3]]", 4),
            (r#"{"a,[{": 1, "b": "\\\",,,,"}"#, 2),
            (r#"{"a": "\\", "b": 1}"#, 2),
            (r#"",,,,"#, 0),
        ] {
            assert_eq!(values(json.as_bytes()), expected, "{json}");
        }
    }
}

//! Looks over a document before it is parsed.
//!
//! A parser calls itself for whatever is nested: a kilobyte of brackets may overflow the stack,
//! which ends the whole process. Here they are counted as they come.

use async_graphql::ServerError;

/// How deep braces, brackets and parentheses may be nested.
pub(crate) const DEPTH: usize = 64;

/// How many names, values and signs a document may have.
pub(crate) const TOKENS: usize = 10_000;

/// Refuses documents that cannot be parsed safely or cheaply.
pub(crate) fn check(document: &str) -> Result<(), ServerError> {
    if document.contains('\0') {
        return Err(error("The document contains a NUL character. Leave it out.".to_owned()));
    }
    let mut rest = document.as_bytes();
    let (mut tokens, mut depth) = (0, 0_usize);
    while let Some((&first, after)) = rest.split_first() {
        rest = match first {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => {
                rest = after;
                continue;
            }
            b'#' => {
                rest = skip(after, |byte| !is_end_of_line(byte));
                continue;
            }
            b'"' => string(rest)?,
            b'{' | b'[' | b'(' => {
                depth += 1;
                after
            }
            b'}' | b']' | b')' => {
                depth = depth.saturating_sub(1);
                after
            }
            first if is_word(first) => skip(after, is_word),
            _ => after,
        };
        tokens += 1;
        if depth > DEPTH {
            return Err(error(format!("The document is nested more than {DEPTH} deep.")));
        }
        if tokens > TOKENS {
            return Err(error(format!(
                "The document has more than {TOKENS} names, values and signs. Ask for less at a time, and give \
                 values as variables."
            )));
        }
    }
    Ok(())
}

/// What follows the string at the start.
fn string(text: &[u8]) -> Result<&[u8], ServerError> {
    match text.strip_prefix(br#"""""#) {
        Some(content) => block(content),
        None => Ok(line(&text[1..])),
    }
}

/// What follows the end of a block string. One without an end is refused here, because the parser
/// would read its quotes as an empty string and go on behind them.
fn block(mut text: &[u8]) -> Result<&[u8], ServerError> {
    loop {
        text = if let Some(after) = text.strip_prefix(br#"\""""#) {
            after
        } else if let Some(after) = text.strip_prefix(br#"""""#) {
            return Ok(after);
        } else if let Some((_, after)) = text.split_first() {
            after
        } else {
            return Err(error("A block string has no end.".to_owned()));
        }
    }
}

/// What follows the end of a string, or of the line: it has no end then, and parsing stops there.
fn line(mut text: &[u8]) -> &[u8] {
    loop {
        text = match text {
            [b'"', after @ ..] => return after,
            [] => return text,
            [end, ..] if is_end_of_line(*end) => return text,
            [b'\\', escaped, after @ ..] if !is_end_of_line(*escaped) => after,
            [_, after @ ..] => after,
        }
    }
}

fn skip(text: &[u8], while_is: fn(u8) -> bool) -> &[u8] {
    let end = text.iter().position(|&byte| !while_is(byte)).unwrap_or(text.len());
    &text[end..]
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_end_of_line(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

fn error(message: String) -> ServerError {
    ServerError::new(message, None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::server::document::validation::parse;

    fn nested(open: &str, depth: usize) -> String {
        format!("{{ a(b: {} ", open.repeat(depth))
    }

    #[test]
    fn deep_nesting_is_refused_before_parsing() {
        for open in ["[", "{a:", "[{a:", "{ a ", "...{", "[#\n", "[\"\\\"\",", "[\"]\""] {
            assert!(check(&nested(open, 20)).is_ok(), "{open}");
            assert!(check(&nested(open, 10_000)).is_err(), "{open}");
        }
        assert!(check(&format!("query($a: {}", "[".repeat(1_000))).is_err());
        assert!(check(&nested("[]", 2_000)).is_ok());
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_nest() {
        let brackets = "[".repeat(1_000);
        for document in [
            format!("{{ a(b: \"{brackets}\") }}"),
            format!("{{ a(b: \"\\\"{brackets}\\\\\") }}"),
            format!("{{ a(b: \"\"\"{brackets} \" \\\"\"\" {brackets}\n{brackets}\"\"\") }}"),
            format!("{{ a # \" {brackets}\n }}"),
            format!("{{ a(b: \"\", c: \"\"\"\"\"\") # {brackets}\r }}"),
        ] {
            assert!(check(&document).is_ok(), "{document:.40}");
            assert!(parse(&document).is_ok(), "{document:.40}");
        }
    }

    #[test]
    fn everything_is_counted() {
        let brackets = "[".repeat(1_000);
        for document in [
            // The parser reads two quotes as a string if the block has no end.
            format!("{{ a(b: [\"\"\" x\" {brackets}"),
            format!("{{ a(b: [\"unended \n {brackets}"),
            format!("{{ a(b: [\"\\\n {brackets}"),
            format!("{{ a(b: [\"\"\"\"\"\" {brackets}"),
            format!("{{ a(b: [\"\\\\\" {brackets}"),
            format!("# \"\n {{ a(b: {brackets}"),
            format!("# \"\r {{ a(b: {brackets}"),
        ] {
            assert!(check(&document).is_err(), "{document:.40}");
        }
    }

    #[test]
    fn long_documents_and_nul_are_refused() {
        assert!(check(&"a ".repeat(TOKENS)).is_ok());
        assert!(check(&"a ".repeat(TOKENS + 1)).is_err());
        assert!(check(&"!".repeat(TOKENS + 1)).is_err());
        assert!(check("{ a }\0").is_err());
        assert!(check("{ a(b: \"\0\") }").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Whatever passes can be parsed with the stack that there is.
        #[test]
        fn accepted_documents_do_not_overflow_the_stack(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "{", "[", "(", "}", "]", ")", "a", ":", "\"", "\"\"\"", "\\", "\n", "#", "$", "...", "on A", "@", "1",
                ]),
                0..60,
            ),
            tail in prop::sample::select(vec!["[", "{a:", "{a", "...{"]),
        ) {
            let document = format!("{{ a(b: {} {}", parts.join(" "), tail.repeat(3_000));
            if check(&document).is_ok() {
                drop(parse(&document));
            }
        }
    }
}

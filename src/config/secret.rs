//! Secrets from the environment or from files.

use std::env;
use std::path::Path;

use anyhow::{Context, bail};
use secrecy::SecretString;

/// The secret in `file`, or else in the environment variable, without the blanks around it.
///
/// # Errors
/// When both were given, or the file cannot be read.
pub fn read(file: Option<&Path>, variable: &str) -> anyhow::Result<Option<SecretString>> {
    let value = env::var(variable).ok().filter(|value| !value.trim().is_empty());
    match (file, value) {
        (None, None) => Ok(None),
        (None, Some(value)) => Ok(Some(value.trim().into())),
        (Some(file), None) => from_file(file).map(Some),
        (Some(file), Some(_)) => {
            bail!("both {variable} and the file {} were given: give one", file.display())
        }
    }
}

/// The secret in a file, without the blanks around it.
pub fn from_file(file: &Path) -> anyhow::Result<SecretString> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("{} could not be read", file.display()))?;
    Ok(text.trim().into())
}

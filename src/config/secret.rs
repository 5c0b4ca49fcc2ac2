//! Secrets from the environment or from files.

use std::env;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use secrecy::SecretString;
use tracing::warn;

use crate::config::environment::is_blank;

/// What everybody on the machine may do with a file.
const OTHERS: u32 = 0o007;

/// The secret in `file`, or else in the environment variable, without the blanks around it.
///
/// # Errors
/// When both were given, or the file cannot be read.
pub(crate) fn read(file: Option<&Path>, variable: &str) -> anyhow::Result<Option<SecretString>> {
    match (file, self::variable(file, variable)?) {
        (_, Some(value)) => Ok(Some(value)),
        (None, None) => Ok(None),
        (Some(file), None) => from_file(file).map(Some),
    }
}

/// The secret in the environment variable, without the blanks around it.
///
/// # Errors
/// When a file was named as well.
pub(crate) fn variable(file: Option<&Path>, variable: &str) -> anyhow::Result<Option<SecretString>> {
    let value = env::var_os(variable).filter(|value| !is_blank(value));
    if let (Some(file), Some(_)) = (file, &value) {
        bail!("both {variable} and the file {} were given: give one", file.display());
    }
    let text = value.map(|value| value.into_string().ok().with_context(|| format!("{variable} is no text")));
    Ok(text.transpose()?.map(|text| text.trim().into()))
}

/// The secret in a file, without the blanks around it.
pub(crate) fn from_file(file: &Path) -> anyhow::Result<SecretString> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("{} could not be read", file.display()))?;
    warn_of_readers(file);
    Ok(text.trim().into())
}

/// A file that everybody can read is taken, because some ways to mount secrets make no others; but
/// not without a word.
fn warn_of_readers(file: &Path) {
    if let Some(mode) = mode_for_everybody(file) {
        let file = file.display();
        warn!(%file, mode, "everybody on this machine can read a file that holds a secret: chmod 600");
    }
}

/// The mode of a file, if everybody on this machine may do something with it.
pub(crate) fn mode_for_everybody(file: &Path) -> Option<String> {
    let mode = file.metadata().ok()?.permissions().mode() & 0o777;
    (mode & OTHERS != 0).then(|| format!("{mode:04o}"))
}

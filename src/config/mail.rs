//! How mails are sent. Without a mail server none are.

use std::path::PathBuf;

use anyhow::bail;

use crate::app::settings::Smtp;
use crate::config::secret;

const VARIABLE: &str = "REPRISE_SMTP_URL";

/// The mail server.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Mail")]
pub(crate) struct Options {
    /// A file with the URL of the mail server: `smtps://USER:PASSWORD@HOST`, `smtp://HOST?tls=required`
    /// (STARTTLS) or `smtp://HOST` (plain). The URL itself may be given as `REPRISE_SMTP_URL` instead.
    /// [default: no mails are sent]
    #[arg(long, env = "REPRISE_SMTP_URL_FILE", value_name = "FILE")]
    pub smtp_url_file: Option<PathBuf>,
    /// The sender of mails, such as `Reprise <reprise@company.com>`. Needed with a mail server.
    #[arg(long, env = "REPRISE_MAIL_FROM", value_name = "ADDRESS")]
    pub mail_from: Option<String>,
    /// The name by which this server greets the mail server (EHLO): its full name in DNS, or its address as
    /// `[192.0.2.1]`. [default: the domain of --mail-from]
    #[arg(long, env = "REPRISE_EHLO_NAME", value_name = "NAME", value_parser = ehlo_name)]
    pub ehlo_name: Option<String>,
}

impl Options {
    /// The mail server, if there is one.
    ///
    /// # Errors
    /// When the file cannot be read, or one of URL and sender is missing.
    pub(crate) fn smtp(&self) -> anyhow::Result<Option<Smtp>> {
        match (secret::read(self.smtp_url_file.as_deref(), VARIABLE)?, &self.mail_from) {
            (None, None) => Ok(None),
            (Some(url), Some(from)) => {
                Ok(Some(Smtp { url, from: from.clone(), ehlo_name: self.ehlo_name.clone() }))
            }
            (Some(_), None) => {
                bail!("there is a mail server, but --mail-from (REPRISE_MAIL_FROM) is missing")
            }
            (None, Some(_)) => bail!("--mail-from was given, but {VARIABLE} or --smtp-url-file is missing"),
        }
    }
}

/// What cannot be a name would break the line that it stands in.
fn ehlo_name(text: &str) -> Result<String, String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    if text.is_empty() || !text.chars().all(is_name) {
        return Err("give a name such as mail.company.com, or an address as [192.0.2.1]".to_owned());
    }
    Ok(text.to_owned())
}

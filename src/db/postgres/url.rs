//! Reads the URL of a PostgreSQL database.
//!
//! The driver's own reading repeats in errors and in the log what it cannot use, which may be a
//! secret, and takes some of what `libpq` takes for something else.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail, ensure};
use sea_orm::sqlx::ConnectOptions;
use sea_orm::sqlx::postgres::PgConnectOptions;
use tracing::warn;
use url::Url;

/// The parameters that mean something. Those of `options[…]` do, too.
const KNOWN: [&str; 19] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "target_session_attrs",
];

/// What names a file with certificate authorities, besides `PGSSLROOTCERT`.
const AUTHORITIES: [&str; 3] = ["sslrootcert", "ssl-root-cert", "ssl-ca"];

/// The demands that are met anyway: a standby is never used.
const PRIMARY: [&str; 3] = ["read-write", "primary", "any"];

const SEVERAL: &str = "the URL of the database names several hosts: give one address that leads to the \
    primary, a name or a proxy that follows it; connections to a standby are not used";

/// How to connect to the database at `url`, which may be certified by these authorities, too.
///
/// # Errors
/// When it cannot be read, or asks for what there is not. What is told of it has no secret in it.
pub(super) fn read(url: &str, authorities: Option<&Path>) -> anyhow::Result<PgConnectOptions> {
    let mut url = parse(url)?;
    let (known, unknown): (Vec<_>, Vec<_>) = url
        .query_pairs()
        .into_owned()
        .partition(|(name, _)| KNOWN.contains(&name.as_str()) || name.starts_with("options["));
    for (name, _) in unknown {
        warn!(name, "the URL of the database has a parameter that means nothing here");
    }
    for (name, value) in &known {
        check(name, value)?;
    }
    let files = known.iter().filter(|(name, _)| AUTHORITIES.contains(&name.as_str()));
    let named = files.map(|(_, file)| PathBuf::from(file)).next_back();
    let rest = known.iter().filter(|(name, _)| name != "target_session_attrs");
    url.query_pairs_mut().clear().extend_pairs(rest);
    let mut options: PgConnectOptions =
        url.as_str().parse().map_err(|error| anyhow!("the URL of the database cannot be used: {error}"))?;
    // In a URL an address of IPv6 stands in brackets, which are no part of it.
    if let Some(address) = options.get_host().strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        options = options.clone().host(address);
    }
    if let Some(file) = authorities {
        options = options.ssl_root_cert_from_pem(all_of(file, named)?);
    }
    // Numbers with fractions are not asked for, and poolers refuse what they do not know.
    Ok(options.extra_float_digits(None).disable_statement_logging())
}

/// The certificates of both files, of which the driver takes one.
fn all_of(file: &Path, other: Option<PathBuf>) -> anyhow::Result<Vec<u8>> {
    let other = other.or_else(|| env::var_os("PGSSLROOTCERT").map(PathBuf::from));
    let mut all = Vec::new();
    for file in [Some(file), other.as_deref()].into_iter().flatten() {
        let pem = std::fs::read(file).with_context(|| format!("{} could not be read", file.display()))?;
        all.extend(pem);
        all.push(b'\n');
    }
    Ok(all)
}

fn parse(url: &str) -> anyhow::Result<Url> {
    let unreadable = || {
        anyhow!(
            "the URL of the database cannot be read: give sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME"
        )
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(unreadable)?;
    ensure!(["postgres", "postgresql"].contains(&scheme), unreadable());
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (credentials, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    ensure!(!hosts.contains(','), SEVERAL);
    if hosts.is_empty() && !credentials.is_empty() {
        return Url::parse(&without_host(credentials, path)).map_err(|_| unreadable());
    }
    Url::parse(url).map_err(|_| unreadable())
}

/// A URL without a host may have no credentials in front of it; as parameters it may.
fn without_host(credentials: &str, path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    // There a plus sign would be a blank.
    let [user, password] = [user, password].map(|text| text.replace('+', "%2B").replace('&', "%26"));
    let password = if password.is_empty() { password } else { format!("&password={password}") };
    format!("postgres://{path}?user={user}{password}&{query}")
}

fn check(name: &str, value: &str) -> anyhow::Result<()> {
    match name {
        "host" | "hostaddr" | "port" if value.contains(',') => bail!(SEVERAL),
        "target_session_attrs" if !PRIMARY.contains(&value) => {
            bail!(
                "the URL of the database asks for a standby (target_session_attrs): only a primary is of use"
            )
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(url: &str) -> String {
        format!("{:#}", read(url, None).unwrap_err())
    }

    #[test]
    fn all_ways_to_name_a_server_are_read() {
        for (url, host, socket, port, user, name) in [
            ("postgres://u:p@db.example.com/n", "db.example.com", None, 5432, "u", "n"),
            ("postgresql://u@127.0.0.1:6000/n", "127.0.0.1", None, 6000, "u", "n"),
            ("postgres://u:p@[::1]:5433/n", "::1", None, 5433, "u", "n"),
            ("postgres://u@[2001:db8::5]/n?sslmode=require", "2001:db8::5", None, 5432, "u", "n"),
            ("postgres://u@/n?host=/run/pg", "", Some("/run/pg"), 5432, "u", "n"),
            ("postgres://u%40b:p%2Bp+p@/n?host=/run/pg&port=7", "", Some("/run/pg"), 7, "u@b", "n"),
            ("postgres:///n?host=/run/pg&user=u", "", Some("/run/pg"), 5432, "u", "n"),
            ("postgres://u@%2Frun%2Fpg:8/n", "", Some("/run/pg"), 8, "u", "n"),
            ("postgres://u@localhost/n?host=/run/pg", "", Some("/run/pg"), 5432, "u", "n"),
            ("postgres://u@/n?host=h.example.com", "h.example.com", None, 5432, "u", "n"),
            ("postgres://u@h?dbname=n&target_session_attrs=read-write", "h", None, 5432, "u", "n"),
        ] {
            let options = read(url, None).unwrap();
            if !host.is_empty() {
                assert_eq!(options.get_host(), host, "{url}");
            }
            assert_eq!(options.get_socket().map(PathBuf::as_path), socket.map(Path::new), "{url}");
            assert_eq!((options.get_port(), options.get_username()), (port, user), "{url}");
            assert_eq!(options.get_database(), Some(name), "{url}");
        }
    }

    #[test]
    fn passwords_are_the_same_wherever_they_stand() {
        let url_of = |url: &str| read(url, None).unwrap().to_url_lossy();
        for password in ["secret", "p+p", "p%2Bp", "p%26q", "p%40q%2Fr%3As", "p=q", "%25"] {
            let [before, without] = ["host", ""].map(|host| {
                let url = url_of(&format!("postgres://u:{password}@{host}/n?host=host"));
                url.password().unwrap().to_owned()
            });
            assert_eq!(before, without, "{password}");
        }
    }

    #[test]
    fn several_hosts_and_standbys_are_refused_with_what_to_do() {
        for url in [
            "postgres://u:theSecret@one:1,two:2/n",
            "postgres://u:theSecret@one,two/n",
            "postgres://u:theSecret@/n?host=one,two",
            "postgres://u:theSecret@one/n?hostaddr=10.0.0.1,10.0.0.2",
            "postgres://u:theSecret@one/n?port=1,2",
        ] {
            let told = told(url);
            assert!(told.contains("several hosts") && told.contains("one address"), "{url}: {told}");
            assert!(!told.contains("theSecret"), "{told}");
        }
        for attribute in ["standby", "read-only", "prefer-standby", "theSecret"] {
            let told = told(&format!("postgres://u@h/n?target_session_attrs={attribute}"));
            assert!(told.contains("target_session_attrs") && !told.contains("theSecret"), "{told}");
        }
    }

    #[test]
    fn unreadable_values_are_not_repeated() {
        for url in [
            "postgres://u:theSecret@host:port/n",
            "mysql://u:theSecret@host/n",
            "theSecret",
            "postgres://u:theSecret@[::1/n",
            "postgres://u:theSecret@h/n?sslmode=theSecond",
        ] {
            let told = told(url);
            assert!(told.starts_with("the URL of the database cannot be "), "{told}");
            assert!(!told.contains("theSecret"), "{told}");
        }
    }

    #[test]
    fn session_settings_in_the_url_are_kept() {
        let options = read("postgres://u@h/n?options=-c%20jit%3Don&options[geqo]=off", None).unwrap();
        assert_eq!(options.get_options(), Some("-c jit=on -c geqo=off"));
    }
}

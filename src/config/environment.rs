//! Settings from the environment: one rule for all of them.
//!
//! A variable that is empty or blank is as good as none, because `${X:-}` in a compose file
//! makes such. A switch is turned by any of the usual words. Words that can be chosen from may be
//! written in capitals, too.

use std::env;
use std::ffi::OsStr;

use clap::builder::{BoolishValueParser, Resettable};
use clap::{Arg, Command};

/// The command, blind to variables that are blank, and to capitals in words that can be chosen from.
pub(crate) fn without_blanks(command: Command) -> Command {
    command.mut_args(without_blank).mut_subcommands(without_blanks)
}

fn without_blank(arg: Arg) -> Arg {
    let has_values = arg.get_action().takes_values();
    let arg = arg.ignore_case(has_values);
    let is_blank = arg.get_env().and_then(env::var_os).is_some_and(|value| is_blank(&value));
    if is_blank { arg.env(Resettable::Reset) } else { arg }
}

/// Whether a value says nothing.
pub(crate) fn is_blank(value: &OsStr) -> bool {
    value.to_str().is_some_and(|text| text.trim().is_empty())
}

/// Reads a switch: true, yes, on and 1, or false, no, off and 0.
pub(crate) fn switch() -> BoolishValueParser {
    BoolishValueParser::new()
}

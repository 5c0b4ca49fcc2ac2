//! Pages for people.

pub(crate) mod graphiql;

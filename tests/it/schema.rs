//! `schema.graphql` is what the server serves. This test rewrites it, and
//! fails the run in which it had to.

use std::fs;

#[test]
fn schema_graphql_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");
    let served = reprise::graphql::sdl();
    if fs::read_to_string(path).unwrap_or_default() != served {
        fs::write(path, served).unwrap();
        panic!("schema.graphql was stale and has been rewritten; commit it");
    }
}

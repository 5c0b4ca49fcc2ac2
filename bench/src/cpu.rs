//! Who used the processor during a measurement.

use crate::goals;
use crate::installation::Installation;
use crate::report::Scenario;
use crate::sink::Sink;
use crate::usage;

/// CPU seconds so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cpu {
    servers: f64,
    database: f64,
    sink: f64,
    load: f64,
    machine: f64,
}

impl Cpu {
    /// What everybody has used until now.
    pub(crate) fn now(installation: &Installation, sink: &Sink) -> Self {
        Self {
            servers: installation.cpu(),
            database: installation.site.cpu(),
            sink: usage::cpu(sink.pid()),
            load: usage::cpu(std::process::id()),
            machine: usage::cpu_of_machine(),
        }
    }

    /// What the servers and the database have used between two moments.
    pub(crate) fn of_ours(self, before: Self) -> f64 {
        self.servers - before.servers + self.database - before.database
    }

    /// Reports what everybody has used for so many deliveries. The machine shows whether somebody is missing.
    pub(crate) fn report(self, before: Self, deliveries: f64, scenario: &mut Scenario<'_>) {
        let per_thousand = |seconds: f64| seconds / deliveries * 1_000.0;
        scenario.add(goals::CPU, per_thousand(self.of_ours(before)));
        if self.database > 0.0 {
            scenario.add("CPU s/1000: server", per_thousand(self.servers - before.servers));
            scenario.add("CPU s/1000: database", per_thousand(self.database - before.database));
        }
        for (who, now, then) in [
            ("sink", self.sink, before.sink),
            ("load", self.load, before.load),
            ("whole machine", self.machine, before.machine),
        ] {
            scenario.add(&format!("CPU s/1000: {who}"), per_thousand(now - then));
        }
    }
}

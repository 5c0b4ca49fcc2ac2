//! What was taken in, and how far it has come: for one lane, and for all lanes together.

/// How many deliveries, and what they weigh together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// How many.
    pub count: usize,
    /// Their weight.
    pub weight: usize,
}

/// How far a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It has a place, and is still being written down.
    Promised,
    /// It waits to be sent.
    Stocked,
    /// Its attempt has a slot and has not ended: it may still wait for its turn.
    InFlight,
}

/// What was taken in and is not done with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Holding {
    pub promised: Load,
    pub stocked: Load,
    pub in_flight: Load,
}

impl Holding {
    /// The weight of it all.
    pub(crate) fn weight(&self) -> usize {
        self.promised.weight + self.stocked.weight + self.in_flight.weight
    }

    /// It is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// A delivery of this weight goes from one stage to another. Without the first it comes in, without
    /// the second it leaves.
    pub(crate) fn pass(&mut self, weight: usize, from: Option<Stage>, to: Option<Stage>) {
        if let Some(left) = from.map(|stage| self.at(stage)) {
            *left = Load { count: left.count - 1, weight: left.weight - weight };
        }
        if let Some(entered) = to.map(|stage| self.at(stage)) {
            *entered = Load { count: entered.count + 1, weight: entered.weight + weight };
        }
    }

    fn at(&mut self, stage: Stage) -> &mut Load {
        match stage {
            Stage::Promised => &mut self.promised,
            Stage::Stocked => &mut self.stocked,
            Stage::InFlight => &mut self.in_flight,
        }
    }
}
